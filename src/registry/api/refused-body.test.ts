import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../../base/clock.fake.ts";
import { discardRest } from "./refused-body.ts";

it("cuts off a body that trickles in after its answer", async () => {
  const { clock, socket, received } = await refused(1_000_000);

  socket.write("x".repeat(1_000));
  await expect.poll(() => received()).toBe(1_000);
  await clock.advance(10_000);

  await expect.poll(() => socket.closed).toBe(true);
});

it("takes all of one that comes at a pace, and the next request on the same connection", async () => {
  const { clock, socket, received, answers } = await refused(60_000);

  for (let turn = 1; turn <= 3; turn++) {
    socket.write("x".repeat(20_000));
    await expect.poll(() => received()).toBe(turn * 20_000);
    if (turn < 3) await clock.advance(10_000);
  }
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

  await expect.poll(() => answers()).toBe(2);
  await expect.poll(() => clock.sleeping).toBe(0);
});

/** A server that refuses each request, and a client whose body of `length` bytes is still to come. */
async function refused(length: number) {
  const clock = new FakeClock();
  let received = 0;
  const server = createServer((request, response) => {
    response.writeHead(401).end();
    void discardRest(request, clock);
    request.on("data", (chunk) => {
      received += chunk.length;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  let text = "";
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    text += chunk;
  });
  const answers = () => text.split("HTTP/1.1 401").length - 1;
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`);
  await expect.poll(() => answers()).toBe(1);
  await expect.poll(() => clock.sleeping).toBe(1);
  return { clock, socket, received: () => received, answers };
}
