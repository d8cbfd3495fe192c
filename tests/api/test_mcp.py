"""The views' actions as tools of the Model Context Protocol, when they are asked for."""

import json
import urllib.request

from tests.serving import serve


def test_every_endpoint_is_a_tool_with_its_description(tiny_model_folder: object) -> None:
    server = serve(f"local-dir:{tiny_model_folder}", ("GRADIO_MCP_SERVER", "true"))
    with urllib.request.urlopen(f"{server.url}/gradio_api/mcp/schema", timeout=30) as answer:
        tools = json.load(answer)
    described = {tool["name"].removesuffix("_file").rsplit("_", 1)[-1]: tool["description"] for tool in tools}
    assert set(described) == {"certify", "compare", "learn"}
    assert all("Each step" in words for words in described.values())
