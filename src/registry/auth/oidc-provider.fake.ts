import { generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** A certified OpenID provider on this machine, which gives tokens to jobs. */
export interface FakeProvider {
  issuer: string;
  /** What its server has in it besides; the client is called `ci`. */
  token(claims: Record<string, unknown>): Promise<string>;
  /** A token that it did not make, but that is signed by its key. */
  forged(claims: Record<string, unknown>, header?: Record<string, unknown>): string;
  /** From now on it signs with another key, and publishes that alone. */
  rotate(): void;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** How often its keys were fetched. */
  fetches(): number;
}

export const audience = "https://registry.test";

interface Key {
  id: string;
  privateKey: KeyObject;
}

export async function startProvider(): Promise<FakeProvider> {
  let answer: RequestListener = (_request, response) => response.end();
  let fetches = 0;
  let claims: Record<string, unknown> = {};
  let key = newKey();
  let server: Server | undefined = await listening(0);
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  answer = await providerAt(issuer, key, () => claims);
  const stop = async () => {
    const ending = server;
    server = undefined;
    ending?.closeAllConnections();
    if (ending) await new Promise((resolve) => ending.close(resolve));
  };
  onTestFinished(stop);

  return {
    issuer,
    async token(wanted) {
      claims = wanted;
      const form = { grant_type: "client_credentials", resource: audience };
      const headers = { authorization: `Basic ${Buffer.from("ci:secret").toString("base64")}` };
      const body = new URLSearchParams(form);
      const response = await fetch(`${issuer}/token`, { method: "POST", headers, body });
      const { access_token: token } = (await response.json()) as { access_token: string };
      return token;
    },
    forged: (wanted, header = {}) => signedBy(key, issuer, wanted, header),
    rotate() {
      key = newKey();
      const turned = providerAt(issuer, key, () => claims);
      answer = (request, response) => void turned.then((own) => own(request, response));
    },
    stop,
    async start() {
      server = await listening(port);
    },
    fetches: () => fetches,
  };

  async function listening(at: number): Promise<Server> {
    const made = createServer((request, response) => {
      if (request.url === "/jwks") fetches++;
      answer(request, response);
    });
    await new Promise<void>((resolve) => made.listen(at, "127.0.0.1", resolve));
    return made;
  }
}

/** `oidc-provider` has no types of its own. */
async function providerAt(
  issuer: string,
  { id, privateKey }: Key,
  claims: () => Record<string, unknown>,
): Promise<RequestListener> {
  const name: string = "oidc-provider";
  const { Provider } = await import(name);
  const resource = {
    scope: "",
    audience,
    accessTokenFormat: "jwt",
    jwt: { sign: { alg: "RS256" } },
  };
  const provider = new Provider(issuer, {
    clients: [
      {
        ...{ client_id: "ci", client_secret: "secret", grant_types: ["client_credentials"] },
        ...{ redirect_uris: [], response_types: [] },
      },
    ],
    jwks: {
      keys: [{ ...privateKey.export({ format: "jwk" }), kid: id, use: "sig", alg: "RS256" }],
    },
    extraTokenClaims: claims,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: () => resource },
    },
  });
  return provider.callback();
}

function newKey(): Key {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { id: randomUUID(), privateKey };
}

function signedBy(
  { id, privateKey }: Key,
  issuer: string,
  claims: Record<string, unknown>,
  header: Record<string, unknown>,
): string {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const all = { iss: issuer, aud: audience, sub: "ci", exp: nowSeconds + 300, ...claims };
  const parts = [{ alg: "RS256", kid: id, ...header }, all];
  const content = parts
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${content}.${sign("sha256", Buffer.from(content), privateKey).toString("base64url")}`;
}
