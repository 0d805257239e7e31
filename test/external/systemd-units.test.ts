import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { describeWith } from "../component.ts";
import { temporaryDirectory } from "./program.ts";

const examples = fileURLToPath(new URL("../../examples/systemd", import.meta.url));

describeWith("systemd-analyze")("the unit files of examples/systemd", () => {
  it("have nothing that systemd does not know", async () => {
    const directory = await temporaryDirectory("units");
    await mkdir(directory, { recursive: true });
    const names = await readdir(examples);
    for (const name of names) {
      const text = await readFile(join(examples, name), "utf8");
      await writeFile(join(directory, name), text.replace("/usr/local/bin/dewy", process.execPath));
    }

    const paths = names.map((name) => join(directory, name));
    const { stderr } = await promisify(execFile)("systemd-analyze", ["verify", ...paths]);

    expect(stderr.split("\n").filter((line) => line.includes(directory))).toEqual([]);
  });
});
