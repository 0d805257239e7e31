import type { Platform } from "../release.ts";

/** What a file's name says about where it runs; `undefined` where it says nothing. */
export interface NamedPlatform {
  os: string | undefined;
  architecture: string | undefined;
  variant: string | undefined;
  libc: "gnu" | "musl" | undefined;
  /** How many words of the name were none of these: `debug` in `app-debug-linux-amd64`. */
  otherWords: number;
}

const systems: Record<string, string> = {
  linux: "linux",
  darwin: "darwin",
  macos: "darwin",
  osx: "darwin",
  mac: "darwin",
  apple: "darwin",
  windows: "windows",
  win: "windows",
  win32: "windows",
  win64: "windows",
  freebsd: "freebsd",
  openbsd: "openbsd",
  netbsd: "netbsd",
};

/** In Go's words, and `arm/v7` where the word says which. */
const architectures: Record<string, string> = {
  amd64: "amd64",
  x86_64: "amd64",
  x64: "amd64",
  "64bit": "amd64",
  arm64: "arm64",
  aarch64: "arm64",
  armv8: "arm64",
  arm64v8: "arm64",
  arm: "arm",
  armhf: "arm/v7",
  armv7: "arm/v7",
  armv7l: "arm/v7",
  armv7hf: "arm/v7",
  arm32v7: "arm/v7",
  armv6: "arm/v6",
  armv6l: "arm/v6",
  armv6hf: "arm/v6",
  armel: "arm/v5",
  armv5: "arm/v5",
  "386": "386",
  i386: "386",
  i486: "386",
  i586: "386",
  i686: "386",
  x86: "386",
  "32bit": "386",
  ppc64le: "ppc64le",
  powerpc64le: "ppc64le",
  s390x: "s390x",
  riscv64: "riscv64",
  riscv64gc: "riscv64",
  loong64: "loong64",
  loongarch64: "loong64",
  universal: "all",
  universal2: "all",
  all: "all",
};

const libraries: Record<string, "gnu" | "musl"> = {
  gnu: "gnu",
  glibc: "gnu",
  gnueabi: "gnu",
  gnueabihf: "gnu",
  musl: "musl",
  musleabi: "musl",
  musleabihf: "musl",
};

/** Words of a target triple that say nothing more. */
const fillers = new Set(["unknown", "pc", "vendor", "msvc"]);

/** Files beside the artifact: sums, signatures, packages, papers. */
const besides =
  /\.(sha\d*|sha\d*sums?|md5|sums?|sig|asc|minisig|sign|gpg|pem|crt|cert|pub|att|intoto|jsonl?|sbom|spdx|cdx|cyclonedx|bundle|sigstore|provenance|deb|rpm|apk|msi|dmg|pkg|txt|md|ya?ml|xml|html?|log|zsync|blockmap)$/i;
const sums = /(^|[._-])(sha\d+sums?|md5sums?|checksums?)([._-]v?\d[\w.-]*)?$/i;

/** Whether a release's file may be what is deployed at all. */
export function isDeployable(name: string): boolean {
  return !besides.test(name) && !sums.test(name);
}

const archive = /\.(tar\.(gz|bz2|xz|zst)|tgz|tbz2?|txz|tzst|tar|zip)$/i;

export function isArchive(name: string): boolean {
  return archive.test(name);
}

/** Reads a file's name word by word, so that `darwinian` is no `darwin` and `arm64` no `arm`. */
export function platformIn(name: string): NamedPlatform {
  const found: NamedPlatform = {
    os: undefined,
    architecture: undefined,
    variant: undefined,
    libc: undefined,
    otherWords: 0,
  };
  // The last word wins: a project may be called after a system, and the system comes after it.
  for (const word of wordsOf(name).reverse()) {
    if (!takeWord(found, word)) found.otherWords++;
  }
  if (found.architecture === "all" && found.os !== "darwin") found.architecture = undefined;
  return found;
}

function takeWord(found: NamedPlatform, word: string): boolean {
  const os = Object.hasOwn(systems, word) ? systems[word] : undefined;
  const architecture = Object.hasOwn(architectures, word) ? architectures[word] : undefined;
  const libc = Object.hasOwn(libraries, word) ? libraries[word] : undefined;
  if (os !== undefined && found.os === undefined) {
    found.os = os;
    if (word === "win64") found.architecture ??= "amd64";
    if (word === "win32") found.architecture ??= "386";
  } else if (architecture !== undefined && found.architecture === undefined) {
    [found.architecture, found.variant] = architecture.split("/");
  } else if (libc !== undefined) {
    found.libc ??= libc;
  } else {
    return fillers.has(word) || (os === found.os && os !== undefined);
  }
  return true;
}

function wordsOf(name: string): string[] {
  return name
    .toLowerCase()
    .replace(archive, "")
    .replace(/\.(exe|gz|bz2|xz|zst|appimage)$/, "")
    .replace(/x86[_-]64/g, "x64")
    .replace(/(mac|darwin|linux|windows|osx)[_-]?(32|64)(?:bit)?(?![a-z0-9])/g, "$1-$2bit")
    .split(/[^a-z0-9]+/)
    .flatMap(
      (word) =>
        /^(linux|darwin|macos|windows|win)(amd64|arm64|x64|x86|386)$/.exec(word)?.slice(1) ?? [
          word,
        ],
    )
    .filter(Boolean);
}

/**
 * Which platform a file is for, for `dewy push`: `undefined` when its name does not say both the
 * system and the architecture.
 */
export function platformOf(name: string): Platform | undefined {
  const { os, architecture, variant } = platformIn(name);
  if (os === undefined || architecture === undefined) return undefined;
  return variant === undefined ? { os, architecture } : { os, architecture, variant };
}

/** Whether a host can run what is made for `wanted`. 32-bit ARM runs its own variant and older. */
export function runsOn(
  wanted: {
    os?: string | undefined;
    architecture?: string | undefined;
    variant?: string | undefined;
  },
  host: Platform,
): boolean {
  if (wanted.os !== host.os) return false;
  if (wanted.architecture === "all") return true;
  if (wanted.architecture !== host.architecture) return false;
  if (host.architecture !== "arm" || !wanted.variant) return true;
  return numberOf(wanted.variant) <= numberOf(host.variant ?? "v7");
}

const numberOf = (variant: string): number => Number(variant.replace(/\D/g, ""));

/** This host in Go's words, from Node's (`process.platform`, `process.arch`, `arm_version`). */
export function hostPlatform(node: {
  platform: string;
  arch: string;
  armVersion?: string;
}): Platform {
  const os = node.platform === "win32" ? "windows" : node.platform;
  const architecture = { x64: "amd64", ia32: "386", ppc64: "ppc64le" }[node.arch] ?? node.arch;
  if (architecture !== "arm") return { os, architecture };
  return { os, architecture, variant: `v${node.armVersion ?? "7"}` };
}
