import { execFile } from "node:child_process";
import { expect, it } from "vitest";
import { built } from "../../bench/stage.ts";

it("says in one line that it may not have enough files open", async () => {
  const words = `ulimit -n 40; exec "$0" "$1" run`;

  const { status, stderr } = await new Promise<{ status: unknown; stderr: string }>((resolve) => {
    execFile("sh", ["-c", words, process.execPath, built("src/main.js")], (error, _out, stderr) =>
      resolve({ status: error?.code ?? 0, stderr }),
    );
  });

  expect(stderr).toMatch(/^dewy: this process may have 40 files open, and needs 128: .*\n$/);
  expect(status).toBe(1);
});
