import type { Bytes } from "../../../base/bytes.ts";
import type { Tree } from "./tree.ts";

const systems = "linux|darwin|macos|osx|windows|win32|win64|freebsd|openbsd|netbsd|solaris|unknown";
const architectures =
  "amd64|x86[_-]64|x64|x86|i[3-6]86|386|arm64|aarch64|armv?[5-8][a-z]*|armhf|arm|riscv64|ppc64le|ppc64|s390x|mips64|universal";
const flavours = "gnu|musl|gnueabihf|musleabihf|static|apple|pc";
const version = String.raw`v?\d+(\.\d+)+([-+.][0-9a-z.]+)*?|v\d+`;

const trailingWord = new RegExp(
  `[-_.](${systems}|${architectures}|${flavours}|${version})(?=\\.(exe|jar|war|phar|pyz|appimage|sh|wasm)$|$)`,
  "i",
);

/** `app` for `app_1.2.3_linux_amd64`: the name that stays the same from release to release. */
export function plainName(name: string): string {
  let plain = name;
  while (trailingWord.test(plain)) plain = plain.replace(trailingWord, "");
  return plain;
}

/**
 * Writes an executable that comes without an archive, under its own name and, by a link, under the
 * one it has in every release, so that the command line need not change.
 */
export async function placeSingleFile(name: string, bytes: Bytes, tree: Tree): Promise<void> {
  await tree.file(name, { mode: 0o755, modifiedAt: undefined }, bytes);
  const plain = plainName(name);
  if (plain !== name && plain !== "") await tree.symbolicLink(plain, name);
}
