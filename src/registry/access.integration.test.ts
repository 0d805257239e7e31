import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { FakeLogger } from "../base/logger.fake.ts";
import { digestOf } from "../oci/digest.ts";
import { blob, digest, openHere } from "./served-registry.fake.ts";

/** `htpasswd -B -C 4`, for the password `password`. */
const hash = "$2b$04$qeuQTEh9sjk6SgeHff6eJemjZ0gKdbxaI/YOjwJ9P7on0D8TvqK2S";
const rules = `
    - {repository: public/*, actions: [pull], anonymous: true}
    - {repository: team/*, actions: [push], users: [alice]}
    - {repository: team/*, actions: [delete], users: [carol]}
    - {repository: "**", actions: ["*"], users: [root]}`;

it("lets nobody in without a name, but anybody look whether it is alive", async () => {
  const { address } = await openWith("");

  for (const path of ["/v2/", "/v2/_catalog", "/v2/a/tags/list", "/v2/a/manifests/v1"]) {
    const response = await fetch(`${address}${path}`);
    expect([path, response.status]).toEqual([path, 401]);
    expect(response.headers.get("www-authenticate")).toBe('Basic realm="Registry Realm"');
    expect(await response.json()).toMatchObject({ errors: [{ code: "UNAUTHORIZED" }] });
  }
  expect((await fetch(`${address}/`)).status).toBe(200);
  expect((await fetch(`${address}/nothing`)).status).toBe(404);
  const preflight = await fetch(`${address}/v2/a/tags/list`, { method: "OPTIONS" });
  expect(preflight.status).toBe(200);
});

it("lets every user do everything where there are no rules, and logs who it was", async () => {
  const { as, logger } = await openWith("");

  expect((await as("alice", "/v2/")).status).toBe(200);
  expect((await push(as, "alice", "any/thing")).status).toBe(201);
  expect((await as("bob", `/v2/any/thing/blobs/${digest}`)).status).toBe(200);
  expect((await as("bob", `/v2/any/thing/blobs/${digest}`, "DELETE")).status).toBe(202);
  expect((await as("mallory", "/v2/")).status).toBe(401);

  const users = logger.lines.filter(({ message }) => message === "request");
  expect(users.map(({ fields }) => fields.user)).toContain("alice");
  expect(JSON.stringify(logger.lines)).not.toContain("password");
});

it("goes by its rules", async () => {
  const { as } = await openWith(rules);
  await push(as, "root", "public/a");
  await push(as, "alice", "team/a");
  const of = (repository: string) => `/v2/${repository}/blobs/${digest}`;

  const outcomes = [
    [await as(undefined, of("public/a")), 200],
    [await as(undefined, of("team/a")), 401],
    [await as(undefined, "/v2/"), 401],
    [await as("bob", of("public/a")), 200],
    [await as("bob", of("team/a"), "HEAD"), 403],
    [await as("bob", of("not/there")), 403],
    [await as("alice", of("team/a")), 200],
    [await as("alice", of("team/a"), "DELETE"), 403],
    [await as("carol", of("team/a")), 403],
    [await as("carol", of("team/a"), "DELETE"), 202],
    [await as("alice", "/v2/public/a/blobs/uploads/", "POST"), 403],
    [await as("alice", "/v2/public/a/manifests/v1", "PUT"), 403],
  ] as const;

  expect(outcomes.map(([{ status }]) => status)).toEqual(outcomes.map(([, status]) => status));
  const denied = await as("bob", of("team/a"));
  expect(denied.headers.get("www-authenticate")).toBeNull();
  expect(await denied.json()).toMatchObject({ errors: [{ code: "DENIED" }] });
});

it("goes by its rules below /api/v1 as well, and notes who it was", async () => {
  const { as } = await openWith(rules);
  await push(as, "alice", "team/a");
  const repository = "/api/v1/repositories/team/a";
  const history = `${repository}/tags/v1/history`;

  const listed = await (await as("bob", "/api/v1/repositories")).json();
  expect(listed).toEqual({ repositories: [] });
  const collections = "/api/v1/garbage/collections";
  expect((await as("alice", collections, "POST")).status).toBe(403);
  expect((await as("alice", "/api/v1/scrubs", "POST")).status).toBe(403);
  expect((await as("alice", "/api/v1/scrubs/current")).status).toBe(403);
  const scrub = await as("root", "/api/v1/scrubs", "POST");
  expect(await scrub.json()).toMatchObject({ actor: "root", setAside: false });
  const begun = await as("root", collections, "POST");
  expect(begun.status).toBe(202);
  expect(await begun.json()).toMatchObject({ actor: "root" });
  expect((await as(undefined, history)).status).toBe(401);
  expect((await as("bob", history)).status).toBe(403);
  expect((await as("alice", repository, "DELETE")).status).toBe(403);
  expect((await as("carol", repository, "DELETE")).status).toBe(202);
  const told = await (await as("alice", history)).json();
  expect(told).toMatchObject({ history: [{ actor: "carol" }, { actor: "alice" }] });
});

it("answers the same for what is not there and for what is not to be seen", async () => {
  const { as } = await openWith(rules);
  await push(as, "alice", "team/a");
  const answerFor = async (repository: string) => {
    const response = await as("bob", `/v2/${repository}/blobs/${digest}`);
    return [response.status, [...response.headers.keys()], await response.text()];
  };

  expect(await answerFor("team/a")).toEqual(await answerFor("team/b"));
});

it("shows each user the part of the catalog that they may pull from, page by page", async () => {
  const { as } = await openWith(rules);
  for (const name of ["public/a", "public/b", "secret/a", "secret/b", "team/a"]) {
    await push(as, "root", name);
  }
  const listed = async (user: string | undefined, query = "") => {
    const response = await as(user, `/v2/_catalog${query}`);
    const { repositories } = (await response.json()) as { repositories: string[] };
    return [repositories, response.headers.get("link")];
  };

  const all = ["public/a", "public/b", "secret/a", "secret/b", "team/a"];
  expect(await listed("root")).toEqual([all, null]);
  expect(await listed("alice")).toEqual([["public/a", "public/b", "team/a"], null]);
  expect(await listed(undefined)).toEqual([["public/a", "public/b"], null]);
  const next = '</v2/_catalog?last=public%2Fb&n=2>; rel="next"';
  expect(await listed("alice", "?n=2")).toEqual([["public/a", "public/b"], next]);
  expect(await listed("alice", "?n=2&last=public/b")).toEqual([["team/a"], null]);
  expect(await listed("bob", "?n=2")).toEqual([["public/a", "public/b"], null]);
});

it("mounts only from where the user may pull, and says nothing of what is elsewhere", async () => {
  const { as } = await openWith(rules);
  await push(as, "root", "secret/a");
  await push(as, "alice", "team/a");
  const mount = async (user: string, query: string) => {
    const path = `/v2/team/new/blobs/uploads/?mount=${digest}${query}`;
    return (await as(user, path, "POST")).status;
  };

  expect(await mount("alice", "&from=secret/a")).toBe(202);
  expect(await mount("alice", "&from=secret/none")).toBe(202);
  expect(await mount("alice", "")).toBe(202);
  expect((await as("alice", `/v2/team/new/blobs/${digest}`)).status).toBe(404);
  expect(await mount("alice", "&from=team/a")).toBe(201);
  expect(await mount("root", "")).toBe(201);
});

it("tells whoever guesses to wait, and lets in whoever comes after", async () => {
  const { as, address } = await openWith("", "  failedlogins: {attempts: 2}");
  const guess = () =>
    fetch(`${address}/v2/`, { headers: { authorization: basic("alice", `${randomBytes(4)}`) } });

  const answers = [await guess(), await guess(), await guess()];

  expect(answers.map(({ status }) => status)).toEqual([401, 401, 429]);
  expect(answers[2]?.headers.get("retry-after")).toBe("1");
  expect(await (answers[2] as Response).json()).toMatchObject({
    errors: [{ code: "TOOMANYREQUESTS" }],
  });
  expect((await as("bob", "/v2/")).status).toBe(200);
});

it("looks at who comes before it looks at what they bring", async () => {
  const { address } = await openWith("");
  const { socket, answer } = connected(address);

  // A body that never comes: whoever read it first would not answer.
  socket.write(
    "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n",
  );

  await expect.poll(answer).toContain("HTTP/1.1 401");
});

it("asks for a body only once it knows who brings it", async () => {
  const { address } = await openWith("");
  const path = `/v2/a/blobs/uploads/?digest=${digest}`;
  const talk = async (...more: string[]) => {
    const { answer, socket } = connected(address);
    const head = [`POST ${path} HTTP/1.1`, "Host: a", `Content-Length: ${blob.length}`, ...more];
    socket.write(`${head.join("\r\n")}\r\nExpect: 100-continue\r\n\r\n`);
    await expect.poll(answer).toMatch(/\r\n\r\n/);
    return { answer, socket };
  };

  const nobody = await talk();
  expect(nobody.answer()).toMatch(/^HTTP\/1.1 401 .*\r\nconnection: close\r\n/is);
  const alice = await talk(`Authorization: ${basic("alice", "password")}`);
  expect(alice.answer()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
  alice.socket.write(blob);

  await expect.poll(alice.answer).toContain("HTTP/1.1 201");
});

it("takes the word of its own proxies for where somebody comes from", async () => {
  const more = "  failedlogins: {attempts: 1}\n  trustedproxies: [127.0.0.1]";
  const { address, logger } = await openWith("", more);
  const from = async (client: string, password: string) => {
    const headers = { authorization: basic("alice", password), "x-forwarded-for": client };
    return (await fetch(`${address}/v2/`, { headers })).status;
  };

  expect(await from("192.0.2.1", "wrong")).toBe(401);
  expect(await from("192.0.2.1", "password")).toBe(429);
  expect(await from("192.0.2.2", "password")).toBe(200);

  await expect
    .poll(() => logger.lines.filter(({ message }) => message === "request").at(-1)?.fields)
    .toMatchObject({ status: 200, remote: "192.0.2.2" });
});

it("does not open with an htpasswd file that it cannot read", async () => {
  const directory = await temporaryDirectory();

  const opening = openHere("", "", new FakeLogger(), htpasswdAt(directory));

  await expect(opening).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringContaining(directory),
    hint: expect.any(String),
  });
});

async function openWith(access: string, more = "") {
  const path = join(await temporaryDirectory(), "htpasswd");
  const users = ["alice", "bob", "carol", "root"].map((user) => `${user}:${hash}\n`);
  await writeFile(path, users.join(""));
  const logger = new FakeLogger();
  const section = access === "" ? "" : `  access:${access}\n`;
  const { address } = await openHere("", "", logger, `${htpasswdAt(path)}${section}${more}`);
  const as = (user: string | undefined, place: string, method = "GET", body?: Uint8Array) =>
    fetch(`${address}${place}`, {
      method,
      ...(body === undefined ? {} : { body: Buffer.from(body) }),
      headers: user === undefined ? {} : { authorization: basic(user, "password") },
    });
  return { address, as, logger };
}

type As = Awaited<ReturnType<typeof openWith>>["as"];

/** A blob and a manifest, so that the catalog knows the repository. */
async function push(as: As, user: string, repository: string): Promise<Response> {
  const response = await as(
    user,
    `/v2/${repository}/blobs/uploads/?digest=${digestOf(blob)}`,
    "POST",
    blob,
  );
  const config = { mediaType: "a/config", digest, size: blob.length };
  const manifest = { schemaVersion: 2, config, layers: [] };
  await as(user, `/v2/${repository}/manifests/v1`, "PUT", Buffer.from(JSON.stringify(manifest)));
  return response;
}

/** A connection, and what has come by it so far. */
function connected(address: string) {
  const { port } = new URL(address);
  const socket = createConnection(Number(port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let text = "";
  socket.setEncoding("utf8").on("data", (more: string) => {
    text += more;
  });
  return { socket, answer: () => text };
}

function htpasswdAt(path: string): string {
  return `auth:\n  htpasswd: {realm: Registry Realm, path: ${path}}\n`;
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-access-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
