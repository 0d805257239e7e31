import { describe, expect, it } from "vitest";
import type { Platform } from "../release.ts";
import { fakeArtifact } from "../release-registry.fake.ts";
import { type ArtifactRules, artifactFor } from "./artifact.ts";

const linux: Platform = { os: "linux", architecture: "amd64" };
const arm: Platform = { os: "linux", architecture: "arm", variant: "v7" };
const mac: Platform = { os: "darwin", architecture: "amd64" };

describe("artifactFor", () => {
  it.each([
    [
      "the one for this host",
      linux,
      "a-linux-amd64.tar.gz",
      "a-windows-amd64.zip a-darwin-amd64.zip",
    ],
    ["an alias", mac, "a-macos-x86_64.tar.gz", "a-linux-x86_64.tar.gz"],
    ["an archive before a file", linux, "a-linux-amd64.zip", "a-linux-amd64"],
    ["its own C library", linux, "a-x86_64-linux-gnu.zip", "a-x86_64-linux-musl.zip"],
    ["no word too many", linux, "a-linux-amd64.zip", "a-debug-linux-amd64.zip"],
    ["the first by name of equals", linux, "a-linux-amd64.zip", "b-linux-amd64.zip"],
    ["the best variant", arm, "a-linux-armv7.zip", "a-linux-armv6.zip a-linux-arm64.zip"],
    ["its own architecture before all", mac, "a-darwin-amd64.zip", "a-darwin-all.zip"],
    ["the only one where none says more", linux, "a.zip", "a.zip.sha256"],
    ["one that leaves out the architecture", linux, "a-linux.zip", "a-windows.zip"],
  ])("picks %s, in whatever order", (_what, platform, expected, others) => {
    expect(pick(`${expected} ${others}`, { platform })).toBe(expected);
    expect(pick(`${others} ${expected}`, { platform })).toBe(expected);
  });

  it.each([
    ["an arm host take arm64", arm, "a-linux-arm64.tar.gz"],
    ["another system's file", linux, "a-windows-amd64.zip"],
    ["a file without a platform when others have one", linux, "a.zip a-windows-amd64.zip"],
    ["sums and signatures", linux, "a-linux-amd64.zip.sha256 a-linux-amd64.zip.asc a.deb"],
    ["anything where there is nothing", linux, ""],
  ])("does not let %s", (_what, platform, names) => {
    expect(pick(names, { platform })).toBeUndefined();
  });

  it("takes a musl build where there is no other, and first on a musl host", () => {
    const names = "a-x86_64-linux-gnu.zip a-x86_64-linux-musl.zip";

    expect(pick("a-x86_64-linux-musl.zip", { platform: linux })).toBe("a-x86_64-linux-musl.zip");
    expect(pick(names, { platform: linux, libc: "musl" })).toBe("a-x86_64-linux-musl.zip");
  });

  it("takes the named one and no other", () => {
    const names = "a-linux-amd64.zip data.bin";

    expect(pick(names, { platform: linux, artifact: "data.bin" })).toBe("data.bin");
    expect(pick(names, { platform: linux, artifact: "Data.bin" })).toBeUndefined();
  });

  it("believes the registry before the name", () => {
    const artifacts = [
      fakeArtifact("linux-amd64.zip", { platform: mac }),
      fakeArtifact("app", { platform: linux }),
    ];
    const release = { tag: "v1.0.0", publishedAt: undefined, artifacts };

    expect(artifactFor(release, { platform: linux })?.name).toBe("app");
    expect(artifactFor(release, { platform: linux, artifact: "linux-amd64.zip" })).toBeUndefined();
  });
});

function pick(names: string, rules: ArtifactRules): string | undefined {
  const artifacts = names
    .split(" ")
    .filter(Boolean)
    .map((name) => fakeArtifact(name));
  return artifactFor({ tag: "v1.0.0", publishedAt: undefined, artifacts }, rules)?.name;
}
