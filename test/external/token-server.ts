import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exportJWK, SignJWT } from "jose";
import { serve } from "../../src/base/local-server.fake.ts";
import { temporaryDirectory } from "./program.ts";

/** What a token server let somebody do: `pull,push` in `repository:team/app`. */
export type Allowed = (user: string | undefined, resource: string) => string[];

export interface TokenServer {
  /** `auth:` for a registry that trusts it. */
  auth: string;
  /** The scopes that were asked for, in order. */
  scopes: string[];
}

/** Distribution's token specification, as a token server keeps it: GET and OAuth 2. */
export async function openTokenServer(allowed: Allowed): Promise<TokenServer> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwks = join(await temporaryDirectory("jwks"), "keys.json");
  const key = { ...(await exportJWK(publicKey)), kid: "test", alg: "ES256" };
  await writeFile(jwks, JSON.stringify({ keys: [key] }));
  const scopes: string[] = [];

  const { url } = await serve(async (request, response) => {
    const body: Buffer[] = [];
    for await (const chunk of request) body.push(chunk as Buffer);
    const { searchParams } = new URL(request.url ?? "", "http://token.test");
    const form = new URLSearchParams(Buffer.concat(body).toString());
    const user = userIn(request.headers.authorization, form);
    if (user === "") {
      response.writeHead(401).end();
      return;
    }
    const wanted = [...searchParams.getAll("scope"), ...form.getAll("scope")]
      .flatMap((scope) => scope.split(" "))
      .filter(Boolean);
    scopes.push(...wanted);
    const token = await new SignJWT({ access: wanted.map((scope) => accessFor(user, scope)) })
      .setProtectedHeader({ alg: "ES256", kid: "test" })
      .setIssuer("issuer.test")
      .setAudience("registry.test")
      .setSubject(user ?? "")
      .setExpirationTime("5m")
      .sign(privateKey);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ token, access_token: token, expires_in: 300 }));
  });

  const options = `realm: ${url}token, service: registry.test, issuer: issuer.test, jwks: ${jwks}`;
  return { auth: `auth: {token: {${options}}}`, scopes };

  function accessFor(user: string | undefined, scope: string) {
    const [, type, name, wanted = ""] = /^(\w+):(.+):([^:]+)$/.exec(scope) ?? [];
    const may = allowed(user, `${type}:${name}`);
    return { type, name, actions: wanted.split(",").filter((action) => may.includes(action)) };
  }
}

/** Empty for somebody with the wrong password, `undefined` for nobody. */
function userIn(header: string | undefined, form: URLSearchParams): string | undefined {
  const given = header?.startsWith("Basic ")
    ? Buffer.from(header.slice(6), "base64").toString().split(":")
    : [form.get("username") ?? "", form.get("password") ?? ""];
  const [user = "", password = ""] = given;
  if (user === "" && password === "") return undefined;
  return password === `${user}-pw` ? user : "";
}
