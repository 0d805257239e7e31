// Answers 4 KiB, or 1 GiB at `/stream`: `backend.program.js PORT`.
import { createServer, type ServerResponse } from "node:http";

const answer = Buffer.alloc(4096, "x");
const chunk = Buffer.alloc(1024 * 1024, "y");
const chunks = 1024;

createServer((request, response) => {
  if (request.url === "/stream") return stream(response);
  response.writeHead(200, { "content-length": answer.length });
  response.end(answer);
}).listen(Number(process.argv[2]), () => process.stdout.write("ready\n"));

function stream(response: ServerResponse): void {
  response.writeHead(200, { "content-length": chunk.length * chunks });
  let left = chunks;
  write();

  function write(): void {
    while (left-- > 0) if (!response.write(chunk)) return void response.once("drain", write);
    response.end();
  }
}
