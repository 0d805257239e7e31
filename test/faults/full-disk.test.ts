import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../bench/free-port.ts";
import { ask, startLoad } from "../../bench/load.ts";
import {
  built,
  endLeftIn,
  openStage,
  type Running,
  run,
  type Stage,
  until,
} from "../../bench/stage.ts";
import { askAgent } from "../../src/agent/control/control-client.ts";
import { Outcome } from "../../src/agent/control/control-request.ts";
import { type LedgerState, phases } from "../../src/agent/ledger/ledger.ts";
import { endingOnce } from "./ending-app.ts";

it.skipIf(!mayMount())(
  "an agent that starts on a full disk starts the app, and deploys once there is room",
  { timeout: 60_000 },
  async () => {
    const stage = await openStage();
    onTestFinished(() => stage.close());
    const root = join(stage.directory, "app");
    await mkdir(root);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", root]);
    onTestFinished(() => void execFileSync("umount", ["-l", root]));
    const port = await freePort();
    await stage.push("v1.0.0");
    const first = stage.startAgent(port);
    await until("v1.0.0 is in service", async () => first.log().includes("Keep releases"));

    first.process.kill("SIGKILL");
    for (const pid of await workersIn(root)) process.kill(pid, "SIGKILL"); // as a reboot does
    await stage.push("v1.1.0");
    await writeFile(join(root, "filling"), Buffer.alloc(8 * 1024 ** 2)).catch(() => {});
    const second = stage.startAgent(port);

    await until("the app answers", () => answers("v1.0.0"));
    expect(second.log()).toContain("The disk is full");
    const why = "ledger.json cannot be written: the disk is full: free some space there";
    await until("it says what to do", async () => second.log().includes(why));
    await rm(join(root, "filling"));
    await until("v1.1.0 is in service", () => answers("v1.1.0"));
    await second.stop();

    async function answers(version: string): Promise<boolean> {
      const { body } = await ask(`http://127.0.0.1:${port}/`, { timeoutMs: 1000 });
      return body.includes(` ${version} `);
    }
  },
);

/** One disk, one agent, and no room from the moment it enters a phase until it has given up or is done. */
it.skipIf(!mayMount())(
  "an app answers, and current is complete, whenever the disk gets full",
  { timeout: 300_000 },
  async () => {
    const stage = await openStage();
    onTestFinished(() => stage.close());
    const root = join(stage.directory, "app");
    await mkdir(root);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", root]);
    onTestFinished(() => void execFileSync("umount", ["-l", root]));
    const filling = join(root, "filling");
    const port = await freePort();
    const app = `http://127.0.0.1:${port}/`;
    await stage.push("v1.0.0");
    const agent = run(agentArguments(stage, port, root), stage.directory, {
      program: built("test/faults/agent.program.js"),
      environment: { FILL: filling, ROLLBACK_HOOK: "echo rolled back" },
    });
    onTestFinished(async () => {
      agent.process.kill("SIGKILL");
      await until("it has ended", async () => hasEnded(agent));
      await endLeftIn(root); // the record may be of before the disk was full
    });
    await until("v1.0.0 is committed", () => isCommitted("v1.0.0"));
    await until("it is told", async () => (await ledger()).untold === undefined);
    const load = startLoad({ url: app, keepAlive: 2, fresh: 2, restMs: 5 });

    for (const [count, phase] of phases.entries()) {
      const tag = `v1.${count + 1}.0`;
      await fullAt(phase, () => stage.push(tag));
      await decided("deploy", { tag, now: true });
      await until(`${tag} is committed`, () => isCommitted(tag));
    }
    for (const phase of ["switch", "start", "commit", "prune"]) {
      await fullAt(phase, () => decided("rollback", { tag: "v1.6.0" }));
      await decided("rollback", { tag: "v1.6.0" });
      await until("it is gone back to", () => isCommitted("v1.6.0"));
      await decided("deploy", { tag: "v1.7.0", now: true });
      await until("the newest is in service", () => isCommitted("v1.7.0"));
    }
    await decided("unpin", {});
    for (const [count, event] of ["deployment failed", "release quarantined"].entries()) {
      await fullAt(event, () => stage.push(`v2.${count}.0`, { "server.js": "process.exit(3);\n" }));
      await until("it is in quarantine", async () => {
        return (await ledger()).quarantined?.some(({ tag }) => tag === `v2.${count}.0`) ?? false;
      });
      await until("the newest is in service", () => isCommitted("v1.7.0"));
    }
    const told = join(stage.directory, "end");
    const toldTo = `existsSync(${JSON.stringify(told)})`;
    await stage.push("v3.0.0", { "server.js": await endingOnce(toldTo) });
    await until("v3.0.0 is committed", () => isCommitted("v3.0.0"));
    await until("it is told", async () => (await ledger()).untold === undefined);
    await writeFile(`${filling}.step`, "app died");
    await writeFile(told, "");
    await until("the disk is full", async () => (await stat(filling)).size > 0);
    await until("the release before it is back", async () => (await answering()) === "v1.7.0");
    await isComplete();
    expect(agent.log()).toContain("The ledger goes on in memory, as it cannot be written");
    await rm(filling);
    await until("that is on the disk", async () => {
      const { active, quarantined } = await ledger();
      return active?.tag === "v1.7.0" && quarantined?.[0]?.tag === "v3.0.0";
    });

    const { failures, requests } = await load.stop();
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(500);
    expect(hasEnded(agent)).toBe(false);

    /** Does `work`; the disk gets full when the agent comes to `step`, and stays so for a while. */
    async function fullAt(step: string, work: () => Promise<unknown>): Promise<void> {
      const before = agent.log().length;
      await writeFile(`${filling}.step`, step);
      const working = work();
      await until(`the disk is full at ${step}`, async () => (await stat(filling)).size > 0);
      await until("it has given up, or is done", async () =>
        isOver.test(agent.log().slice(before)),
      );
      await isComplete();
      expect((await ask(app)).status).toBe(200);
      await working;
      await isComplete();
      await rm(filling);
    }

    async function decided(what: "deploy" | "rollback" | "unpin", asked: object): Promise<void> {
      const call = { signal: AbortSignal.timeout(30_000) };
      const request = { by: "alice", ...asked } as never;
      await askAgent(root, what, request, Outcome, call).catch(() => {});
    }

    async function isComplete(): Promise<void> {
      const release = join(root, await readlink(join(root, "current")));
      expect((await readdir(release)).sort()).toEqual(["VERSION", "package.json", "server.js"]);
      expect(await readFile(join(release, "VERSION"), "utf8")).toMatch(/^v\d\.\d\.0\n$/);
    }

    async function isCommitted(tag: string): Promise<boolean> {
      return (await ledger()).active?.tag === tag && (await answering()) === tag;
    }

    async function answering(): Promise<string | undefined> {
      return / (v\S+) /.exec((await ask(app)).body)?.[1];
    }

    async function ledger(): Promise<LedgerState> {
      return JSON.parse(await readFile(join(root, ".dewy/ledger.json"), "utf8"));
    }
  },
);

const isOver = /Dewy run failure|could not be written|could not be removed|Keep releases/;

const agentArguments = (stage: Stage, port: number, root: string) => [
  ...["none", `img://${stage.registry}/sample-app`, String(port), root],
  ...[process.execPath, "current/server.js"],
];

const hasEnded = ({ process: { exitCode, signalCode } }: Running): boolean =>
  exitCode !== null || signalCode !== null;

async function workersIn(root: string): Promise<number[]> {
  const record = JSON.parse(await readFile(join(root, ".dewy", "workers.json"), "utf8"));
  return record.workers.map(({ pid }: { pid: number }) => pid);
}

/** Only root may, and only outside of most containers. */
function mayMount(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  try {
    execFileSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
