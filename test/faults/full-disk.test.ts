import { execFileSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { ask } from "../../bench/load.ts";
import { freePort, openStage, until } from "../../bench/stage.ts";

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
    await rm(join(root, "filling"));
    await until("v1.1.0 is in service", () => answers("v1.1.0"));
    await second.stop();

    async function answers(version: string): Promise<boolean> {
      const { body } = await ask(`http://127.0.0.1:${port}/`, { timeoutMs: 1000 });
      return body.includes(` ${version} `);
    }
  },
);

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
