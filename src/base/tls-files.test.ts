import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readTlsFiles } from "./tls-files.ts";

it("waits for nobody to write to a pipe, and takes no directory for a file", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-tls-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const pipe = join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const read = (path: string, environment = {}) =>
    readTlsFiles(
      { ca: undefined, cert: { name: "cert", path }, key: undefined },
      "here",
      environment,
    );

  await expect(read(pipe)).rejects.toThrow(`cert=${pipe} cannot be read (it is a pipe)`);
  await expect(read(directory)).rejects.toThrow("cannot be read (it is a directory)");
  await expect(read(directory, { SSL_CERT_FILE: pipe })).rejects.toThrow(
    `SSL_CERT_FILE=${pipe} cannot be read (it is a pipe)`,
  );
});
