import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { type RequestOptions, request as requestHttps } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { issue } from "./certificate.fake.ts";
import { blob, digest, openHere } from "./served-registry.fake.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "dewy-socket-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
});

it("takes a blob on a unix socket and gives it back", async () => {
  const socketPath = join(directory, "registry.sock");
  await openHere("", `net: unix, addr: ${socketPath}`);

  const { pushed, pulled } = await exchange({ socketPath });

  expect(pushed.headers.location).toBe(`http://registry.example/v2/app/blobs/${digest}`);
  expect(pulled.equals(blob)).toBe(true);
});

it("does so by TLS as well", async () => {
  const socketPath = join(directory, "registry.sock");
  const { pem } = issue();
  await writeFile(join(directory, "domain.crt"), pem.cert);
  await writeFile(join(directory, "domain.key"), pem.key);
  const tls = `certificate: ${directory}/domain.crt, key: ${directory}/domain.key`;
  const { address } = await openHere("", `net: unix, addr: ${socketPath}, tls: {${tls}}`);
  const trusted = { socketPath, ca: pem.cert, servername: "localhost" };

  const { pushed, pulled } = await exchange(trusted);

  expect(address).toBe(`unix:${socketPath}`);
  expect(pushed.headers.location).toBe(`https://registry.example/v2/app/blobs/${digest}`);
  expect(pulled.equals(blob)).toBe(true);
  await expect(send({ ...trusted, ca: issue().pem.cert, path: "/v2/" })).rejects.toMatchObject({
    code: expect.stringMatching(/SELF_SIGNED|UNABLE/),
  });
});

async function exchange(options: RequestOptions) {
  const path = `/v2/app/blobs/uploads/?digest=${digest}`;
  const pushed = await send({ ...options, method: "POST", path }, blob);
  expect(pushed.status).toBe(201);
  const pulled = await send({ ...options, path: `/v2/app/blobs/${digest}` });
  return { pushed, pulled: pulled.body };
}

function send(
  options: RequestOptions,
  body?: Uint8Array,
): Promise<{ status: number | undefined; headers: IncomingMessage["headers"]; body: Buffer }> {
  const request = options.ca === undefined ? requestHttp : requestHttps;
  const headers = { host: "registry.example" };
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, headers, agent: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const { statusCode: status, headers } = response;
      resolve({ status, headers, body: Buffer.concat(chunks) });
    });
    sent.once("error", reject);
    sent.end(body);
  });
}
