// Reads all of `stream.program.js URL`, and says how many bytes that were in how many seconds.
import { get } from "node:http";

const begunAt = performance.now();
get(process.argv[2] ?? "", { agent: false }, async (response) => {
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  process.stdout.write(JSON.stringify({ bytes, seconds: (performance.now() - begunAt) / 1000 }));
});
