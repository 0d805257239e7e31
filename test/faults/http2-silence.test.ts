import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { openHttp2 } from "../../src/registry/server-http2.ts";
import { flag, frame, head, kind, preface } from "./http2-frames.ts";

it.each([
  ["a ping that is too short", frame(kind.ping, 0, 0, Buffer.alloc(7))],
  ["a body of no request", frame(kind.data, 0, 0, Buffer.alloc(3))],
  ["a frame that is too long", frame(kind.data, 0, 1, Buffer.alloc(20_000))],
  ["a head that cannot be read", frame(kind.headers, 5, 3, Buffer.alloc(3, 255))],
])("lets go of a connection that Node would keep after %s", async (_what, wrong) => {
  const { port, sessions } = await open({ silenceMs: 200 });
  const client = connect(port, "127.0.0.1");
  client.on("error", () => {});
  const begun = frame(kind.headers, flag.endHeaders, 1, head("POST", "/"));

  client.write(Buffer.concat([preface, frame(kind.settings, 0, 0), begun, wrong]));
  await once(client, "data");
  client.destroy();

  await expect.poll(() => sessions.size, { timeout: 30_000 }).toBe(0);
});

it("keeps a client that has nothing to say, but answers", async () => {
  const { port, sessions } = await open({ silenceMs: 200 });
  const client = connectHttp2(`http://127.0.0.1:${port}`);
  onTestFinished(() => client.destroy());
  let pings = 0;
  client.on("ping", () => pings++);

  await expect.poll(() => pings, { timeout: 30_000 }).toBeGreaterThan(10);

  expect([...sessions].map(({ destroyed }) => destroyed)).toEqual([false]);
});

async function open({ silenceMs }: { silenceMs: number }) {
  const http2 = openHttp2({ idleConnectionMs: 75_000, idleRequestMs: 600_000, silenceMs });
  http2.prependListener((request) => void request.resume());
  const server = createServer((socket) => http2.speak(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const session of http2.sessions) session.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sessions: http2.sessions };
}
