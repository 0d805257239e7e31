import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { endStalled } from "./server-pace.ts";

const stallMs = 200;

it("leaves a request alone that is slow, and gets on", async () => {
  const upload = await openUpload();
  const begunMs = performance.now();

  while (performance.now() - begunMs < 10 * stallMs) {
    await new Promise<unknown>((resolve) => upload.write(Buffer.alloc(100_000), resolve));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  upload.end();

  const [answer] = await once(upload, "response");
  expect(answer.statusCode).toBe(200);
});

it("ends a request of which a byte comes now and then", async () => {
  const upload = await openUpload();
  const timer = setInterval(() => upload.write("x"), 10);
  onTestFinished(() => clearInterval(timer));

  const [error] = await once(upload, "error", { signal: AbortSignal.timeout(50_000) });

  expect(error).toMatchObject({ code: expect.stringMatching(/^(?:ECONNRESET|EPIPE)$/) });
});

it("ends nobody where there is no limit", async () => {
  const upload = await openUpload(0);

  for (let turn = 0; turn < 50; turn++) {
    upload.write("x");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  upload.end();

  const [answer] = await once(upload, "response");
  expect(answer.statusCode).toBe(200);
});

async function openUpload(limitMs = stallMs) {
  const server = createServer((request, response) => {
    request.resume().once("end", () => response.end());
  });
  endStalled(
    { server, prependListener: (listener) => server.prependListener("request", listener) },
    limitMs,
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const upload = request({ port, host: "127.0.0.1", method: "PATCH" });
  upload.on("error", () => {}); // also of what is written behind the end
  onTestFinished(() => {
    upload.destroy();
    server.close();
  });
  return upload;
}
