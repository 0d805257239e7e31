import { execFile } from "node:child_process";
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

async function registry(...args: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [program, ...args])).stdout;
}
