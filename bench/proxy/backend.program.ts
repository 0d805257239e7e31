// Answers 4 KiB, or 1 GiB at `/stream`, on each port: `backend.program.js PORT…`.
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";

const answer = Buffer.alloc(4096, "x");
const chunk = Buffer.alloc(1024 * 1024, "y");
const chunks = 1024;

for (const port of process.argv.slice(2)) {
  const server = createServer((request, response) => {
    if (request.url === "/stream") return stream(response);
    response.writeHead(200, { "content-length": answer.length });
    response.end(answer);
  });
  await once(server.listen(Number(port)), "listening");
}
process.stdout.write("ready\n");

function stream(response: ServerResponse): void {
  response.writeHead(200, { "content-length": chunk.length * chunks });
  let left = chunks;
  write();

  function write(): void {
    while (left-- > 0) if (!response.write(chunk)) return void response.once("drain", write);
    response.end();
  }
}
