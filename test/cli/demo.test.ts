import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { built } from "../../bench/stage.ts";

it("shows a release replaced without a failed request, and ends by itself", async () => {
  const demo = [built("examples/demo/demo.js"), "--once"];

  const { stdout } = await promisify(execFile)(process.execPath, demo, { timeout: 60_000 });

  expect(stdout).toContain("answers: sample-app v1.0.0");
  expect(stdout).toContain("answers: sample-app v1.1.0");
  expect(stdout).toMatch(/\d{3,} requests meanwhile, 0 failed/);
}, 70_000);
