"""The views' actions as tools of the Model Context Protocol, when they are asked for."""

import json
import urllib.request

import httpx

from tests.serving import serve


def test_every_endpoint_is_a_tool_with_its_description(tiny_model_folder: object) -> None:
    server = serve(f"local-dir:{tiny_model_folder}", ("GRADIO_MCP_SERVER", "true"))
    with urllib.request.urlopen(f"{server.url}/gradio_api/mcp/schema", timeout=30) as answer:
        tools = json.load(answer)
    described = {tool["name"].removesuffix("_file").rsplit("_", 1)[-1]: tool["description"] for tool in tools}
    assert set(described) == {"certify", "compare", "attack", "learn"}
    assert all("Each step" in words for words in described.values())


def test_what_a_call_says_that_cannot_be_read_is_not_logged(tiny_model_folder: object) -> None:
    server = serve(f"local-dir:{tiny_model_folder}", ("GRADIO_MCP_SERVER", "true"))
    told = {"name": 5, "arguments": {"class_names": "Jane Doe 1970"}}
    calls = [{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": one} for one in (told, {"name": "\ud800"})]
    for body in (*map(json.dumps, calls), "[" * 50_000):
        headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        httpx.post(f"{server.url}/gradio_api/mcp/", content=body, headers=headers, timeout=60)
    written = server.output.read_text("utf-8")
    assert "Jane" not in written
    assert "Traceback" not in written
