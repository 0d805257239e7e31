import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { FakeLogger } from "../../base/logger.fake.ts";
import { askAgent } from "./control-client.ts";
import type { Control } from "./control-request.ts";
import { openControlSocket, socketOf } from "./control-socket.ts";
import { Situation } from "./situation.ts";

const situation: Situation = { app: "web", mode: "assets", directory: "/srv/web" };

describe("the control socket", () => {
  it.each([
    ["short", "web"],
    ["longer than an address of a socket", "w".repeat(150)],
  ])("answers in a directory whose path is %s, and is gone afterwards", async (_what, name) => {
    const { directory, open, ask } = await prepare(name);
    const socket = await open();

    expect(await ask()).toEqual(situation);
    expect((await stat(socketOf(directory))).mode & 0o777).toBe(0o600);

    await socket.close();
    expect(await readdir(join(directory, ".dewy"))).toEqual([]);
    await expect(ask()).rejects.toMatchObject({ code: "NO_AGENT" });
  });

  it("takes the place of what a killed agent has left", async () => {
    const { directory, open, ask } = await prepare();
    await writeFile(socketOf(directory), "");
    await expect(ask()).rejects.toMatchObject({ code: "NO_AGENT" });

    await open();

    expect(await ask()).toEqual(situation);
  });

  it("passes on why something is refused", async () => {
    const { open, ask } = await prepare();
    const { ControlError } = await import("./control-error.ts");
    await open({
      status: async () => {
        throw new ControlError("REFUSED", "not now", { hint: "ask later" });
      },
    });

    await expect(ask()).rejects.toMatchObject({
      ...{ code: "REFUSED", message: "not now", hint: "ask later" },
    });
  });

  it("breaks off what is asked when the agent ends", async () => {
    const { open, ask } = await prepare();
    let begun = false;
    const socket = await open({
      status: (_asked, { signal }) =>
        new Promise((_resolve, reject) => {
          begun = true;
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    });

    const asked = ask();
    asked.catch(() => {});
    await vi.waitFor(() => expect(begun).toBe(true));
    await socket.close();

    await expect(asked).rejects.toMatchObject({
      ...{ code: "FAILED", message: "the agent was told to end meanwhile" },
    });
  });

  it.each([
    ["POST /v1/nothing", "", 404, "there is only /v1/status, /v1/plan"],
    ["PUT /v1/status", "", 405, "only GET and POST"],
    ["POST /v1/status", "{", 400, "the body is not JSON"],
    ["POST /v1/status", '{"tag":1}', 400, "tag: there is no such key"],
    ["POST /v1/status", "x".repeat(70_000), 413, "65536 bytes"],
  ])("refuses %s", async (line, body, status, words) => {
    const { directory, open } = await prepare();
    await open();

    const answer = await raw(socketOf(directory), line, body);

    expect(answer).toContain(`HTTP/1.1 ${status} `);
    expect(answer).toContain(words);
  });

  it("does without, and says so, where there can be none", async () => {
    const { directory, open, logger } = await prepare();
    await mkdir(join(directory, ".dewy", "control.sock"));
    await writeFile(join(directory, ".dewy", "control.sock", "x"), "");

    const socket = await open();

    expect(logger.messages("warn")).toEqual([expect.stringContaining("cannot be opened")]);
    await socket.close();
  });
});

async function prepare(name = "web") {
  const parent = await mkdtemp(join(tmpdir(), "dewy-control-"));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  const directory = join(parent, name);
  await mkdir(join(directory, ".dewy"), { recursive: true });
  const logger = new FakeLogger();
  const usual: Partial<Control> = { status: async () => situation };
  return {
    directory,
    logger,
    async open(control: Partial<Control> = {}) {
      const all = { ...usual, ...control } as Control;
      const socket = await openControlSocket(directory, all, { clock: systemClock, logger });
      onTestFinished(() => socket.close());
      return socket;
    },
    ask: () => askAgent(directory, "status", {}, Situation, { signal: AbortSignal.timeout(9_000) }),
  };
}

async function raw(path: string, line: string, body: string): Promise<string> {
  const socket = connect(path);
  const head = `${line} HTTP/1.1\r\nhost: dewy\r\ncontent-length: ${body.length}`;
  socket.on("error", () => {}); // a body that is too long is not read to its end
  socket.write(`${head}\r\n\r\n${body}`);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
