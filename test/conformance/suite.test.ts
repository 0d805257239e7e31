import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { leftOutMark, pathOf } from "../component.ts";
import { serve } from "./client.ts";

/** The specification's own program, where somebody has built it. */
const suite = process.env.OCI_CONFORMANCE ?? pathOf("conformance");

/** No package has it, so no machine has to: it is left out by name. */
const title = "passes the suite of the specification itself";

it.skipIf(suite === undefined)(
  suite ? title : `${leftOutMark}conformance, for which OCI_CONFORMANCE may name a program`,
  async () => {
    const results = await mkdtemp(join(tmpdir(), "dewy-conformance-results-"));
    onTestFinished(() => rm(results, { recursive: true, force: true }));
    const { host } = new URL(await serve({ validation: "off" }));
    const env = {
      ...{ PATH: process.env.PATH, HOME: results, OCI_RESULTS_DIR: results },
      ...{ OCI_REGISTRY: host, OCI_TLS: "disabled", OCI_VERSION: "dev", OCI_DATA_SPARSE: "true" },
      ...{ OCI_REPO1: "conformance/one", OCI_REPO2: "conformance/two" },
    };

    const run = promisify(execFile)(suite ?? "", [], { env, cwd: results, maxBuffer: 2 ** 26 });
    const report = await run.then(
      () => "passed",
      ({ stdout, stderr }) => `${stdout}${stderr}`.slice(-20_000),
    );

    expect(report).toBe("passed");
  },
  120_000,
);
