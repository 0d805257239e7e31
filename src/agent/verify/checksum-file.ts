export type ChecksumAlgorithm = "sha256" | "sha512";

/** What a checksum file says about one file. */
export interface Checksum {
  algorithm: ChecksumAlgorithm;
  hex: string;
}

const algorithmByLength: Record<number, ChecksumAlgorithm> = { 64: "sha256", 128: "sha512" };

/** `SHA256SUMS`, `sha256sums.txt`, `checksums.txt`, `app_1.2.3_checksums.txt`, `app.sha512sums`. */
const sumsName =
  /(^|[._-])(sha(256|512)-?sums?|sha(256|512)|checksums?)([._-]sha(256|512))?(\.txt)?$/i;

/** Whether a file of this name holds the checksums of several files. */
export const isChecksumFile = (name: string): boolean => sumsName.test(name);

/** The names that the checksum of `name` alone has: with what the file is then about. */
export const ownChecksumNames = (name: string): readonly string[] =>
  ["sha256", "sha256sum", "sha512", "sha512sum"].map((ending) => `${name}.${ending}`);

/**
 * What `text` says about the file `name`: in lines of `sha256sum` (`hex  name`, `hex *name`, with the
 * backslash that marks an escaped name), of BSD (`SHA256 (name) = hex`), or, where `isOwn`, in a hash
 * by itself. Every line about the file has to be right, so all of them are returned. Weaker
 * algorithms are passed over.
 */
export function checksumsIn(
  text: string,
  name: string,
  { isOwn }: { isOwn: boolean },
): readonly Checksum[] {
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .flatMap((line) => lineIn(line) ?? []);
  // The file may have had another name where its sum was made.
  const isOnly = isOwn && lines.length === 1;
  return lines
    .filter(({ about }) => isOnly || (about === undefined ? isOwn : baseName(about) === name))
    .map(({ algorithm, hex }) => ({ algorithm, hex }));
}

function lineIn(text: string): (Checksum & { about: string | undefined }) | undefined {
  const line = text.trimEnd();
  const [hex, about] = inBsd(line) ?? inGnu(line) ?? [];
  const algorithm = algorithmByLength[hex?.length ?? 0];
  if (hex === undefined || algorithm === undefined) return undefined;
  return { algorithm, hex: hex.toLowerCase(), about };
}

function inBsd(line: string): [string, string] | undefined {
  const [, name, hex] = /^SHA(?:2-)?(?:256|512) \((.*)\) ?= ?([\da-f]+)$/i.exec(line) ?? [];
  return name !== undefined && hex !== undefined ? [hex, name] : undefined;
}

function inGnu(line: string): [string, string | undefined] | undefined {
  const [, escaped, hex, name] = /^(\\?)([\da-f]{64,128})(?:\s+\*?(\S.*))?$/i.exec(line) ?? [];
  if (hex === undefined) return undefined;
  const plain = escaped ? name?.replace(/\\([\\nr])/g, unescaped) : name;
  return [hex, plain];
}

const unescaped = (_: string, letter: string): string =>
  letter === "n" ? "\n" : letter === "r" ? "\r" : "\\";

/** Sums are often made of `./dist/app.tar.gz`; a release has its files in one place. */
const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
