import { describe, expect, it } from "vitest";
import {
  hostPlatform,
  isArchive,
  isDeployable,
  platformIn,
  platformOf,
  runsOn,
} from "./platform.ts";

describe("platformIn", () => {
  it.each([
    ["app-linux-amd64.tar.gz", "linux", "amd64", undefined],
    ["app_Linux_x86_64.tar.gz", "linux", "amd64", undefined],
    ["app-1.2.3-linux-x64.zip", "linux", "amd64", undefined],
    ["app-x86_64-unknown-linux-musl.tar.xz", "linux", "amd64", undefined],
    ["app-aarch64-unknown-linux-gnu.tar.gz", "linux", "arm64", undefined],
    ["app-armv7-unknown-linux-gnueabihf.tar.gz", "linux", "arm", "v7"],
    ["app_linux_armv6.tar.gz", "linux", "arm", "v6"],
    ["app_linux_armhf.tar.gz", "linux", "arm", "v7"],
    ["app_linux_arm.tar.gz", "linux", "arm", undefined],
    ["app_linux_arm64.tar.gz", "linux", "arm64", undefined],
    ["app_linux_386.tar.gz", "linux", "386", undefined],
    ["app-i686-pc-windows-msvc.zip", "windows", "386", undefined],
    ["app-win64.zip", "windows", "amd64", undefined],
    ["app-win32.zip", "windows", "386", undefined],
    ["app-win-x64.zip", "windows", "amd64", undefined],
    ["app-windows-amd64.exe", "windows", "amd64", undefined],
    ["app-macos-x86_64.tar.gz", "darwin", "amd64", undefined],
    ["app-aarch64-apple-darwin.tar.gz", "darwin", "arm64", undefined],
    ["app-osx-universal.zip", "darwin", "all", undefined],
    ["app_darwin_all.tar.gz", "darwin", "all", undefined],
    ["app-linux64.tar.gz", "linux", "amd64", undefined],
    ["app-linuxamd64.tar.gz", "linux", "amd64", undefined],
    ["app-linux-riscv64.tar.gz", "linux", "riscv64", undefined],
    ["app-linux-ppc64le.tar.gz", "linux", "ppc64le", undefined],
    ["app-linux-s390x.tar.gz", "linux", "s390x", undefined],
    ["windows-tool-linux-amd64.tar.gz", "linux", "amd64", undefined],
    ["darwinian-arms-linuxish.tar.gz", undefined, undefined, undefined],
    ["all-of-it.tar.gz", undefined, undefined, undefined],
    ["app.tar.gz", undefined, undefined, undefined],
    ["constructor-toString.zip", undefined, undefined, undefined],
  ])("reads %s as %s/%s %s", (name, os, architecture, variant) => {
    expect(platformIn(name)).toMatchObject({ os, architecture, variant });
  });
});

it.each([
  ["app-linux-amd64.tar.gz", { os: "linux", architecture: "amd64" }],
  ["app-armv7-unknown-linux-musleabihf", { os: "linux", architecture: "arm", variant: "v7" }],
  ["app-linux.tar.gz", undefined],
  ["app-arm64.tar.gz", undefined],
])("says that %s is for %j", (name, platform) => {
  expect(platformOf(name)).toEqual(platform);
});

it.each(
  "a.sha256 a.tar.gz.sha512 a.md5 a.sig a.asc a.deb a.rpm a.apk a.sbom a.json a.txt a.pem a.minisig a.sigstore a.spdx a.intoto.jsonl checksums.txt SHA256SUMS app_1.0_SHA256SUMS app_checksums.sha256 shipped_to_host_server_at_20260101T000000.1Z.txt"
    .split(" ")
    .map((name) => [name]),
)("never deploys %s", (name) => {
  expect(isDeployable(name)).toBe(false);
});

it.each([["app"], ["app.exe"], ["app.tar.gz"], ["app.ZIP"], ["checksum-tool-linux-amd64.tgz"]])(
  "may deploy %s",
  (name) => {
    expect(isDeployable(name)).toBe(true);
  },
);

it.each([
  ["a.TAR.GZ", true],
  ["a.tbz2", true],
  ["a.tar.zst", true],
  ["a.gz", false],
  ["atar", false],
])("knows whether %s is an archive: %s", (name, expected) => {
  expect(isArchive(name)).toBe(expected);
});

describe("runsOn", () => {
  const host = { os: "linux", architecture: "arm", variant: "v6" };

  it.each([
    [{ os: "linux", architecture: "arm" }, true],
    [{ os: "linux", architecture: "arm", variant: "v5" }, true],
    [{ os: "linux", architecture: "arm", variant: "v6" }, true],
    [{ os: "linux", architecture: "arm", variant: "v7" }, false],
    [{ os: "linux", architecture: "arm64" }, false],
    [{ os: "windows", architecture: "arm" }, false],
  ])("says of %j on ARMv6: %s", (wanted, expected) => {
    expect(runsOn(wanted, host)).toBe(expected);
  });
});

it.each([
  [
    { platform: "linux", arch: "x64" },
    { os: "linux", architecture: "amd64" },
  ],
  [
    { platform: "win32", arch: "ia32" },
    { os: "windows", architecture: "386" },
  ],
  [
    { platform: "darwin", arch: "arm64" },
    { os: "darwin", architecture: "arm64" },
  ],
  [
    { platform: "linux", arch: "arm", armVersion: "6" },
    { os: "linux", architecture: "arm", variant: "v6" },
  ],
])("knows the host %j as %j", (node, expected) => {
  expect(hostPlatform(node)).toEqual(expected);
});
