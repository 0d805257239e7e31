import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { until } from "../../bench/stage.ts";
import { pathOf } from "../component.ts";
import { run, temporaryDirectory } from "./program.ts";

/** What the container has besides this machine's own files: paths there, by paths here. */
interface Places {
  writable: Readonly<Record<string, string>>;
  readOnly: Readonly<Record<string, string>>;
}

/** `systemctl` in the container. */
export type Systemctl = (...args: readonly string[]) => Promise<string>;

/**
 * Boots the systemd of this machine on the files of this machine: a layer in memory takes what is
 * written, and no service is started but `unit`, which has to be among `places`. It shares the network.
 *
 * The root is bound in a mount namespace of its own: for everybody else the directory stays empty.
 */
export async function bootSystemd(unit: string, places: Places): Promise<Systemctl> {
  const root = await mkdtemp(join(tmpdir(), "dewy-root-"));
  const target = join(await temporaryDirectory("target"), "test.target");
  await writeFile(target, `[Unit]\nDefaultDependencies=no\nWants=${unit}\n`);
  const name = `dewy-${process.pid}-${Date.now()}.target`;
  const mounts = Object.entries({ ...places.readOnly, [target]: `/etc/systemd/system/${name}` });
  const options = [
    ...["--register=no", "--keep-unit", "--quiet", "-D", root, "--volatile=overlay"],
    ...["--boot", "--console=pipe", "--drop-capability=CAP_SYS_RESOURCE"],
    ...mounts.map(([here, there]) => `--bind-ro=${here}:${there}`),
    ...Object.entries(places.writable).map(([here, there]) => `--bind=${here}:${there}`),
    ...[`systemd.unit=${name}`, "systemd.mask=timers.target", "systemd.mask=sockets.target"],
  ];
  const begin = 'mount --bind / "$1" && shift && exec "$@"';
  const container = spawn(
    pathOf("unshare") ?? "unshare",
    ["--mount", "sh", "-c", begin, "boot", root, pathOf("systemd-nspawn") ?? "", ...options],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const said: string[] = [];
  for (const output of [container.stdout, container.stderr]) {
    output.on("data", (text) => said.push(String(text)));
  }
  const ended = once(container, "exit");
  onTestFinished(async () => {
    container.kill("SIGTERM");
    const late = setTimeout(() => container.kill("SIGKILL"), 30_000);
    await ended;
    clearTimeout(late);
    await rmdir(root);
  });

  let pid: string | undefined;
  const systemctl: Systemctl = (...args) =>
    run("nsenter", ["-t", pid ?? "", "-m", "-p", "-u", "-i", "systemctl", "--no-pager", ...args]);
  await until(
    "systemd has booted",
    async () => {
      if (container.exitCode !== null) throw new Error(said.join(""));
      pid = await processWith(`systemd.unit=${name}`, "systemd");
      return /^(running|degraded)/.test(await systemctl("is-system-running"));
    },
    60_000,
  ).catch((error) => {
    throw new Error(`${error.message}: ${said.join("")}`);
  });
  return systemctl;
}

/** The process of this program that was started with this argument. */
async function processWith(argument: string, program: string): Promise<string | undefined> {
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    const [path = "", ...args] = line.split("\0");
    if (path.split("/").at(-1) === program && args.includes(argument)) return pid;
  }
  return undefined;
}
