import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openCertificateStore } from "./certificate-store.ts";

it("waits for nobody to write to a pipe that is in the place of a key or certificate", async () => {
  const directory = await mkdtemp(join(tmpdir(), "dewy-store-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const store = await openCertificateStore(directory);
  for (const name of ["acme_account+key", "a.example"]) {
    execFileSync("mkfifo", [join(directory, name)]);
  }

  for (const reading of [() => store.accountKey(), () => store.read("a.example")]) {
    await expect(reading()).rejects.toMatchObject({
      code: "UNUSABLE",
      message: expect.stringMatching(/^http\.tls\.letsencrypt\.cachefile: .* it is a pipe$/),
    });
  }
  expect(await store.read("b.example")).toBeUndefined();
});
