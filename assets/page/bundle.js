// Several files, or a folder, become one zip, which goes the way of one file; numbers stand in the place of names, so
// that none of these leaves the computer. It knows nothing about what is in a file.
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function checksum(bytes) {
  let value = -1;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

const deflated = (file) => new Response(file.stream().pipeThrough(new CompressionStream("deflate-raw"))).arrayBuffer();

// Fields of a header, [bytes, number] each, the lowest byte first.
function packed(...fields) {
  return Uint8Array.from(fields.flatMap(([size, number]) => Array.from({ length: size }, (_, at) => (number >>> (8 * at)) & 255)));
}

// A zip as APPNOTE.TXT has it, §4.3: each file behind a header, then the list of all headers, then where that begins.
export async function zipped(files) {
  const parts = [], list = [];
  let place = 0, length = 0;
  for (const [number, file] of files.entries()) {
    const name = new TextEncoder().encode(String(number + 1));
    const body = await deflated(file);
    const about = [[2, 20], [2, 0], [2, 8], [2, 0], [2, 33], [4, checksum(new Uint8Array(await file.arrayBuffer()))],
      [4, body.byteLength], [4, file.size], [2, name.length], [2, 0]];
    const head = packed([4, 0x04034b50], ...about);
    const line = packed([4, 0x02014b50], [2, 20], ...about, [2, 0], [2, 0], [2, 0], [4, 0], [4, place]);
    parts.push(head, name, body);
    list.push(line, name);
    place += head.length + name.length + body.byteLength;
    length += line.length + name.length;
  }
  const end = packed([4, 0x06054b50], [4, 0], [2, files.length], [2, files.length], [4, length], [4, place], [2, 0]);
  return new File([...parts, ...list, end], "scans.zip", { type: "application/zip" });
}

const once = (call) => new Promise(call);

async function within(entry) {
  if (entry.isFile) return [{ path: entry.fullPath, file: await once((...answers) => entry.file(...answers)) }];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await once((...answers) => reader.readEntries(...answers)); // a hundred at a time, none at the end
    if (!some.length) return found;
    for (const one of some) if (!one.name.startsWith(".")) found.push(...(await within(one)));
  }
}

const { compare } = new Intl.Collator("en", { numeric: true }); // 2 before 10

export const inOrder = (files) => [...files].sort((one, other) => compare(one.name, other.name));

// The files of what was dropped, those of folders too, in the order of their names.
export async function filesOf(entries) {
  const found = (await Promise.all(entries.map(within))).flat();
  return found.sort((one, other) => compare(one.path, other.path)).map(({ file }) => file);
}
