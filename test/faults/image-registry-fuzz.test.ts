import { randomInt } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { FakeLogger } from "../../src/base/logger.fake.ts";
import { isOciErrorCode } from "../../src/oci/error.ts";
import type { AccessEntry } from "../../src/registry/api/access-log.ts";
import { issue } from "../../src/registry/certificate.fake.ts";
import { parseRegistryConfig } from "../../src/registry/config.ts";
import { openRegistry } from "../../src/registry/registry.ts";
import { htpasswdFor } from "../external/guarded-registry.ts";
import { temporaryDirectory } from "../external/program.ts";
import {
  ask,
  type Fill,
  type Fuzzed,
  failureOf,
  fillFor,
  pushAndPull,
  strangeFilesIn,
  uploadsIn,
} from "./fuzzed-registry.ts";
import {
  brokenHttp,
  type FuzzedConnection,
  fuzzedConnections,
  writtenAs,
} from "./fuzzed-requests.ts";
import { answersIn, exchanged, type RawAnswer } from "./raw-http.ts";

/** `DEWY_FAULT_SECONDS=600` for a long one; `DEWY_FUZZ_SEED` for one that was. */
const seconds = Number(process.env.DEWY_FAULT_SECONDS ?? 18) / 3;
const seed = Number(process.env.DEWY_FUZZ_SEED ?? randomInt(2 ** 31));

describe(`the image registry, asked anything at all (DEWY_FUZZ_SEED=${seed})`, () => {
  it.each<[string, Transport, () => Promise<string>]>([
    ["without accounts", "tcp", async () => ""],
    ["with passwords", "tls", async () => htpasswd(await htpasswdFor("alice"))],
    [
      "with tokens",
      "unix",
      async () => `${htpasswd(await htpasswdFor("alice"))}\n  tokenserver: {}`,
    ],
  ])(
    "answers in the words of the specification, keeps nothing, and goes on, %s, by %s",
    async (_accounts, transport, auth) => {
      const stage = await open(await auth(), transport);
      const manifest = await pushAndPull(stage, "a");
      const batches = fc.record({
        connections: fuzzedConnections,
        broken: fc.array(brokenHttp, { maxLength: 2 }),
      });

      const property = fc.asyncProperty(batches, async ({ connections, broken }) => {
        const fill = await fillFor(stage, manifest);
        await Promise.all([
          ...connections.map((connection) => isAnswered(stage, connection, fill)),
          ...broken.map((bytes) => isEnded(stage, bytes, fill)),
        ]);
        expect(stage.logger.lines.filter(({ level }) => level === "error")).toEqual([]);
      });
      const bounds = { interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false };
      const result = await fc.check(property, { seed, numRuns: 1e9, ...bounds });
      if (result.failed) throw failureOf(result, seed);

      await pushAndPull(stage, "b/c");
      await stage.close();
      expect(await strangeFilesIn(stage.directory)).toEqual([]);
      expect((await uploadsIn(stage.directory)).length).toBeLessThanOrEqual(stage.begun);
    },
    (seconds + 60) * 1000,
  );
});

type Transport = "tcp" | "tls" | "unix";

interface Stage extends Fuzzed {
  directory: string;
  logger: FakeLogger;
  /** How many uploads were begun that their clients could go on with. */
  begun: number;
  close(): Promise<void>;
}

const htpasswd = (path: string) => `auth:\n  htpasswd: {realm: r, path: ${path}}`;

async function open(auth: string, transport: Transport): Promise<Stage> {
  const directory = await temporaryDirectory("fuzz");
  const rootdirectory = join(directory, "data");
  const storage = `storage: {filesystem: {rootdirectory: ${rootdirectory}}, delete: {enabled: true}}`;
  const text = `version: 0.1\n${storage}\nhttp: {${await httpFor(transport, directory)}}\n${auth}\n`;
  const config = parseRegistryConfig({ file: "config.yml", text, environment: {} });
  const logger = new FakeLogger();
  const stage = { begun: 0 };
  const accessLog = {
    write(entry: AccessEntry) {
      if (begins(entry)) stage.begun++;
    },
  };
  const registry = await openRegistry(config, { clock: systemClock, logger, accessLog });
  const close = () => registry.close({ signal: AbortSignal.timeout(10_000) });
  onTestFinished(close);
  const dial = dialerOf(registry.address);
  const authorization = await authorizationFor(dial, auth);
  return Object.assign(stage, {
    ...{ dial, logger, authorization, close },
    directory: rootdirectory,
  });
}

const own = issue();

async function httpFor(transport: Transport, directory: string): Promise<string> {
  if (transport === "unix") return `net: unix, addr: ${join(directory, "socket")}`;
  const address = 'addr: "127.0.0.1:0"';
  if (transport === "tcp") return address;
  const [certificate, key] = [join(directory, "c.pem"), join(directory, "k.pem")];
  await writeFile(certificate, own.pem.cert);
  await writeFile(key, own.pem.key);
  return `${address}, tls: {certificate: ${certificate}, key: ${key}}`;
}

function dialerOf(address: string): () => Socket {
  if (address.startsWith("unix:")) {
    const path = address.slice("unix:".length);
    return () => connect({ path, allowHalfOpen: true });
  }
  const to = { port: Number(new URL(address).port), host: "127.0.0.1", allowHalfOpen: true };
  if (address.startsWith("http:")) return () => connect(to);
  return () => connectTls({ socket: connect(to), ca: own.pem.cert, ALPNProtocols: ["http/1.1"] });
}

async function authorizationFor(
  dial: Stage["dial"],
  auth: string,
): Promise<Record<string, string>> {
  if (auth === "") return {};
  const authorization = `Basic ${Buffer.from("alice:alice-pw").toString("base64")}`;
  if (!auth.includes("tokenserver")) return { authorization };
  const scopes = ["a", "b/c", "d/e/f/g"].map((name) => `scope=repository:${name}:pull,push,delete`);
  const headers = { authorization };
  const { body } = await ask(dial, `/auth/token?${scopes.join("&")}`, { headers });
  return { authorization: `Bearer ${JSON.parse(body.toString()).token}` };
}

async function isAnswered(
  { dial }: Stage,
  connection: FuzzedConnection,
  fill: Fill,
): Promise<void> {
  const methods = [...connection.requests.map(({ method }) => method), "GET"];
  const written = writtenAs(connection, fill);
  const answers = answersIn(await exchanged(dial, written), methods);
  for (const [index, answer] of answers.entries()) isProper(answer, methods[index] ?? "GET");
  if (written.breaksOff || answers.length === methods.length) return;
  // No answer is lost: the one that is the last says so.
  expect(answers.at(-1)?.headers.get("connection")).toBe("close");
}

async function isEnded({ dial }: Stage, bytes: Buffer, fill: Fill): Promise<void> {
  const text = Buffer.from(fill(bytes.toString("latin1"), bytes), "latin1");
  const received = await exchanged(dial, { parts: [text], pauseMs: 0, breaksOff: true });
  for (const answer of answersIn(received, [])) isProper(answer, "GET");
}

const plainAnswers = ["404 page not found\n", "405 method not allowed\n"];

/** A failure is told as the specification has it, by Distribution's plain words, or by Node. */
function isProper({ status, headers, body }: RawAnswer, method: string): void {
  if (status < 400) return;
  const shown = `${status} ${JSON.stringify([...headers])} ${body.subarray(0, 500)}`;
  const isOurs = headers.has("docker-distribution-api-version");
  if (!isOurs) {
    expect([400, 405, 408, 413, 417, 431], shown).toContain(status);
    expect(["", "0\r\n\r\n"], shown).toContain(body.toString());
    return;
  }
  if (status >= 500) expect([501, 503, 507], shown).toContain(status);
  if (status === 416 && headers.has("content-range")) return;
  if (method === "HEAD") return;
  const type = headers.get("content-type") ?? "";
  if (type.startsWith("text/plain")) {
    expect(plainAnswers, shown).toContain(body.toString());
    return;
  }
  expect(type, shown).toBe("application/json");
  const document = JSON.parse(body.toString());
  if (typeof document.error === "string") return; // OAuth 2.0's, of the token server
  expect(document.errors.length, shown).toBeGreaterThan(0);
  for (const { code, message } of document.errors) {
    expect(isOciErrorCode(code), shown).toBe(true);
    expect(typeof message, shown).toBe("string");
  }
}

/** Whether an upload was begun that its client can go on with: one in a single request is none. */
function begins({ request: { method, url = "" }, status, route }: AccessEntry): boolean {
  const query = new URLSearchParams(url.slice(url.indexOf("?") + 1));
  const isAtOnce = query.has("digest") && !query.has("mount");
  return method === "POST" && route?.kind === "uploads" && [202, 499].includes(status) && !isAtOnce;
}
