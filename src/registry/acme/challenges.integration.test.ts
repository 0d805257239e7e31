import { createServer as createTlsServer, type Server } from "node:https";
import { type AddressInfo, connect as connectPlain, createServer, type Socket } from "node:net";
import { connect } from "node:tls";
import { expect, it, onTestFinished } from "vitest";
import { issue } from "../certificate.fake.ts";
import { openChallenges } from "./challenges.ts";

const own = issue();
const shown = issue();

it("shows the challenge to an authority, and the certificate to everybody else", async () => {
  const { port, challenges } = await serving();

  const withdraw = challenges.offer("localhost", shown.pem);

  expect(await serialOn(port, ["acme-tls/1"])).toBe(shown.certificate.serialNumber);
  expect(await serialOn(port, ["h2", "http/1.1"])).toBe(own.certificate.serialNumber);
  expect(await serialOn(port, undefined)).toBe(own.certificate.serialNumber);
  withdraw();
  await expect(serialOn(port, ["acme-tls/1"])).rejects.toThrow();
});

it("understands a greeting that comes byte by byte", async () => {
  const { port, challenges } = await serving();
  const slow = await dribbling(port);

  challenges.offer("localhost", shown.pem);

  expect(await serialOn(slow, ["acme-tls/1"])).toBe(shown.certificate.serialNumber);
  expect(await serialOn(slow, ["http/1.1"])).toBe(own.certificate.serialNumber);
});

it("has no challenge for another host", async () => {
  const { port, challenges } = await serving();
  challenges.offer("other.example.com", shown.pem);

  await expect(serialOn(port, ["acme-tls/1"])).rejects.toThrow();
});

it.each([
  "GET / HTTP/1.1\r\n\r\n",
  "\x16\x03\x01\xff\xff",
  "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",
])("ends a connection that begins with %j", async (bytes) => {
  const { port, challenges } = await serving();
  challenges.offer("localhost", shown.pem);

  const socket = connectPlain(port, "127.0.0.1");
  socket.on("error", () => {}).resume();
  socket.end(Buffer.from(bytes, "latin1"));

  await new Promise((resolve) => socket.once("close", resolve));
});

async function serving() {
  const server = createTlsServer({ ...own.pem, ALPNProtocols: ["h2", "http/1.1"] });
  const challenges = openChallenges(server);
  return { port: await listening(server), challenges };
}

async function listening(server: Server | ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Leads to `port`, and passes on what a client says one byte at a time. */
function dribbling(port: number): Promise<number> {
  const server = createServer((client) => {
    const to = connectPlain(port, "127.0.0.1").setNoDelay();
    to.on("error", () => client.destroy()).pipe(client);
    client.on("error", () => to.destroy());
    void dribble(client, to);
  });
  return listening(server);
}

async function dribble(from: Socket, to: Socket): Promise<void> {
  for await (const chunk of from as AsyncIterable<Buffer>) {
    for (const byte of chunk) {
      await new Promise((resolve) => to.write(Buffer.of(byte), resolve));
    }
  }
  to.end();
}

function serialOn(port: number, protocols: string[] | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ port, host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false },
      ...(protocols && { ALPNProtocols: protocols }),
    });
    socket.once("secureConnect", () => {
      resolve(socket.getPeerX509Certificate()?.serialNumber ?? "");
      socket.destroy();
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed")));
  });
}
