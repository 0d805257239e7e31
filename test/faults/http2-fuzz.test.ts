import { randomInt } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import fc from "fast-check";
import { expect, it } from "vitest";
import { issue } from "../../src/registry/certificate.fake.ts";
import { temporaryDirectory } from "../external/program.ts";
import { serveRegistry } from "../external/served-registry.ts";
import { answerable, type FuzzedSession, fuzzedSessions, sessionAs } from "./fuzzed-frames.ts";
import { type Fill, failureOf, fillFor, pushAndPull, strangeFilesIn } from "./fuzzed-registry.ts";
import { type Frame, flag, frame, framesIn, kind, statusIn } from "./http2-frames.ts";

/** `DEWY_FAULT_SECONDS=600` for a long one; `DEWY_FUZZ_SEED` for one that was. */
const seconds = Number(process.env.DEWY_FAULT_SECONDS ?? 18) / 3;
const seed = Number(process.env.DEWY_FUZZ_SEED ?? randomInt(2 ** 31));
const patienceMs = 30_000;
const farewell = Buffer.from("farewell");

/** The registry is another process: what breaks Node's own HTTP/2 would break the test with it. */
it(
  `answers each stream or says that it does not, whatever is on a connection of HTTP/2 (DEWY_FUZZ_SEED=${seed})`,
  async () => {
    const { stage, served, directory } = await open();
    const manifest = await pushAndPull(stage, "a");

    const property = fc.asyncProperty(fuzzedSessions, async (sessions) => {
      const fill = await fillFor(stage, manifest);
      await Promise.all(sessions.map((session) => isServed(stage.dialHttp2, session, fill)));
      expect(served.child.exitCode).toBeNull();
      expect(served.log()).not.toMatch(/level=(ERROR|FATAL)/);
    });
    const bounds = { interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false };
    const result = await fc.check(property, { seed, numRuns: 1e9, ...bounds });
    if (result.failed) throw failureOf(result, seed);

    await pushAndPull(stage, "z"); // where nothing of the fuzz still goes on
    served.child.kill("SIGTERM");
    expect(await served.ended).toBe(0);
    expect(await strangeFilesIn(directory)).toEqual([]);
  },
  (seconds + 120) * 1000,
);

async function open() {
  const directory = await temporaryDirectory("http2-fuzz");
  const [certificate, key] = [join(directory, "c.pem"), join(directory, "k.pem")];
  const own = issue();
  await writeFile(certificate, own.pem.cert);
  await writeFile(key, own.pem.key);
  const tls = `{certificate: ${certificate}, key: ${key}}`;
  const data = join(directory, "data");
  const served = await serveRegistry(data, "{}", `http: {addr: "127.0.0.1:0", tls: ${tls}}`);
  const port = Number(new URL(served.address).port);
  const dial = (protocol: string) => {
    const socket = connect({ port, host: "127.0.0.1" });
    return connectTls({ socket, ca: own.pem.cert, ALPNProtocols: [protocol] });
  };
  const stage = { dial: () => dial("http/1.1"), dialHttp2: () => dial("h2"), authorization: {} };
  return { stage, served, directory: data };
}

async function isServed(dial: () => TLSSocket, session: FuzzedSession, fill: Fill): Promise<void> {
  const frames = framesIn(await exchanged(dial, session, fill));
  const isOver = frames.some(({ type }) => type === kind.goAway);
  const answers = frames.filter(({ type }) => type === kind.headers);
  for (const { payload } of answers) {
    const status = statusIn(payload) ?? 200;
    if (status >= 500) expect([501, 503, 507]).toContain(status);
  }
  if (isOver) return;
  const told = frames.filter(isAnswer);
  expect(told.map(({ stream }) => stream)).toEqual(expect.arrayContaining(answerable(session)));
}

/** Resolves to all that came back, once each stream is answered or the server has closed. */
async function exchanged(
  dial: () => TLSSocket,
  session: FuzzedSession,
  fill: Fill,
): Promise<Buffer> {
  const socket = dial();
  const received: Buffer[] = [];
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {}); // a reset, after a session that the server gave up
  const done = new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      received.push(chunk);
      if (isDone(framesIn(Buffer.concat(received)), session)) resolve();
    });
  });
  const bytes = sessionAs(session, fill);
  const size = Math.ceil(bytes.length / session.parts) || 1;
  for (let at = 0; at < bytes.length; at += size) {
    socket.write(bytes.subarray(at, at + size));
    if (session.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, session.pauseMs));
  }
  // In the middle of a frame it would be a part of that.
  if (session.cutAt === undefined) socket.write(frame(kind.ping, 0, 0, farewell));
  else socket.destroySoon();
  await within(Promise.race([done, closed]), "did neither answer nor close");
  socket.destroy();
  return Buffer.concat(received);
}

function isAnswer({ type }: Frame): boolean {
  return type === kind.headers || type === kind.reset;
}

function isDone(frames: readonly Frame[], session: FuzzedSession): boolean {
  if (frames.some(({ type }) => type === kind.goAway)) return true;
  const told = new Set(frames.filter(isAnswer).map(({ stream }) => stream));
  const isPinged = frames.some(
    ({ type, flags, payload }) =>
      type === kind.ping && (flags & flag.acknowledged) !== 0 && payload.equals(farewell),
  );
  return isPinged && answerable(session).every((id) => told.has(id));
}

async function within(what: Promise<void>, failure: string): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    late = setTimeout(() => reject(new Error(`the server ${failure}`)), patienceMs);
  });
  await Promise.race([what, limit]).finally(() => clearTimeout(late));
}
