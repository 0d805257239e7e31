import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { openVerification } from "../../src/agent/verify/index.ts";
import { artifactContent, artifactName, openSubject } from "../../src/agent/verify/subject.fake.ts";
import { systemClock } from "../../src/base/clock.ts";
import { describeWith } from "../component.ts";

const run = promisify(execFile);

describeWith("minisign")("the program minisign", () => {
  it.each([
    ["as it is", []],
    ["in the old form", ["-l"]],
  ])("signs what is then taken, %s, and nothing else", async (_what, options) => {
    const { signal } = new AbortController();
    const directory = await mkdtemp(join(tmpdir(), "dewy-minisign-"));
    const [key, secret] = [join(directory, "app.pub"), join(directory, "app.key")];
    const file = join(directory, artifactName);
    await writeFile(file, artifactContent);
    await run("minisign", ["-G", "-W", "-p", key, "-s", secret]);
    await run("minisign", ["-S", ...options, "-s", secret, "-m", file]);
    const beside = { [`${artifactName}.minisig`]: await readFile(`${file}.minisig`) };
    const asked = { inQuery: undefined, clock: systemClock };
    const { verify } = await openVerification({ keys: [key] }, asked);

    const evidence = await verify(await openSubject({ beside }), { signal });

    expect(evidence).toMatchObject({ kind: "minisign", signedAt: expect.any(String) });
    const other = openSubject({ content: "other bytes", beside });
    await expect(verify(await other, { signal })).rejects.toMatchObject({ code: "MISMATCH" });
  });
});
