import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";

const program = fileURLToPath(new URL("../../dist/src/registry-main.js", import.meta.url));

it("takes the command lines of Distribution's registry", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-registry-bin-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const config = join(directory, "config.yml");
  await writeFile(config, `version: 0.1\nstorage: {filesystem: {rootdirectory: ${directory}}}\n`);

  expect(await registry("--version")).toMatch(/^dewy version: \d/);
  expect(await registry("garbage-collect", "--dry-run", config)).toContain("0 manifests marked");
  expect(await registry("garbage-collect", config, "-m", "-q")).toContain("0 blobs");
  expect(await registry("--help")).toContain("garbage-collect");
  await expect(registry("serve", "missing.yml")).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining("missing.yml"),
  });
});

it.each([
  [{ LOG_LEVEL: "info", LOG_FORMATTER: "json", LOG_FIELDS: "{service: registry}" }, 1],
  [{ LOG_LEVEL: "error", LOG_FORMATTER: "json" }, 0],
])("logs as %j says, and answers at REGISTRY_HTTP_ADDR", async (variables, lines) => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-registry-log-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const all = { HTTP_ADDR: "127.0.0.1:0", STORAGE_FILESYSTEM_ROOTDIRECTORY: directory };
  const environment = Object.fromEntries(
    Object.entries({ ...all, ...variables }).map(([name, value]) => [`REGISTRY_${name}`, value]),
  );
  const served = spawn(process.execPath, [program, "serve"], {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void served.kill("SIGKILL"));
  let said = "";
  for await (const chunk of served.stderr.setEncoding("utf8")) {
    said += chunk;
    const address = /the registry listens on (\S+)\n/.exec(said)?.[1];
    if (address === undefined || served.killed) continue;
    expect((await fetch(`${address}/v2/`)).status).toBe(200);
    served.kill("SIGTERM");
  }

  const logged = said.split("\n").filter((line) => line.startsWith("{"));

  const stopping = logged.filter((line) => line.includes("registry is stopping"));
  expect(stopping).toHaveLength(lines);
  expect(logged.length > 0).toBe(lines > 0);
  for (const line of stopping) expect(JSON.parse(line)).toMatchObject({ service: "registry" });
});

async function registry(...args: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [program, ...args])).stdout;
}
