import { expect, it } from "vitest";
import { checksumsIn, isChecksumFile } from "./checksum-file.ts";

const sum = "a".repeat(64);
const other = "b".repeat(64);
const long = "c".repeat(128);
const app = { algorithm: "sha256", hex: sum };

it.each([
  "SHA256SUMS",
  "SHA512SUMS",
  "SHA256SUMS.txt",
  "sha256sums.txt",
  "sha256sum.txt",
  "checksums.txt",
  "app_1.2.3_checksums.txt",
  "checksums-sha256.txt",
  "app_1.2.3_SHA256SUMS",
])("takes %s for a file of checksums", (name) => {
  expect(isChecksumFile(name)).toBe(true);
});

it.each(["app.tar.gz", "SHA256SUMS.minisig", "checksums.txt.asc", "notes.txt", "checksummer"])(
  "takes %s for no file of checksums",
  (name) => {
    expect(isChecksumFile(name)).toBe(false);
  },
);

it.each([
  ["GNU's text mode", `${sum}  app.tar.gz`],
  ["GNU's binary mode", `${sum} *app.tar.gz`],
  ["upper case", `${sum.toUpperCase()}  app.tar.gz`],
  ["a directory", `${sum}  ./dist/app.tar.gz`],
  ["BSD's form", `SHA256 (app.tar.gz) = ${sum}`],
  ["OpenSSL's form", `SHA2-256 (app.tar.gz)= ${sum}`],
  ["Windows' line ends", `${other}  other.zip\r\n${sum}  app.tar.gz\r\n`],
  ["many files", `${other}  app.tar.gz.old\n${sum}  app.tar.gz\n${other}  xapp.tar.gz`],
])("finds the checksum of a file in %s", (_what, text) => {
  expect(checksumsIn(text, "app.tar.gz", { isOwn: false })).toEqual([app]);
});

it("tells the algorithm by the length, and passes weak ones over", () => {
  const text = `${"d".repeat(32)}  app\n${"e".repeat(40)}  app\n${long}  app`;

  expect(checksumsIn(text, "app", { isOwn: false })).toEqual([{ algorithm: "sha512", hex: long }]);
});

it("reads the backslash of a name that is escaped", () => {
  expect(checksumsIn(`\\${sum}  a\\\\b`, "a\\b", { isOwn: false })).toEqual([app]);
});

it("returns every line about the file, as each has to be right", () => {
  const text = `${sum}  app\n${other}  app`;

  expect(checksumsIn(text, "app", { isOwn: false })).toHaveLength(2);
});

it("takes a hash by itself only from the file's own checksum", () => {
  expect(checksumsIn(`${sum}\n`, "app", { isOwn: true })).toEqual([app]);
  expect(checksumsIn(`${sum}\n`, "app", { isOwn: false })).toEqual([]);
});

it("takes the only line of the file's own checksum, whatever the file was called then", () => {
  expect(checksumsIn(`${sum}  build/out`, "app", { isOwn: true })).toEqual([app]);
  expect(checksumsIn(`${sum}  a\n${other}  b`, "app", { isOwn: true })).toEqual([]);
});

it("finds nothing in what is no file of checksums", () => {
  expect(checksumsIn("<html>404</html>", "app", { isOwn: true })).toEqual([]);
});

it("is soon through with a line that is made to take long", () => {
  const line = `${sum}  a${" ".repeat(500_000)}b`;

  expect(checksumsIn(line, "app", { isOwn: false })).toEqual([]);
});
