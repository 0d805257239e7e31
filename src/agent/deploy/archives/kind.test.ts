import { describe, expect, it } from "vitest";
import { kindOf } from "./kind.ts";

describe("kindOf", () => {
  it.each([
    ["app.tar", { form: "tar", compression: undefined }],
    ["app.tar.gz", { form: "tar", compression: "gzip" }],
    ["APP.TGZ", { form: "tar", compression: "gzip" }],
    ["app.tar.bz2", { form: "tar", compression: "bzip2" }],
    ["app.tbz2", { form: "tar", compression: "bzip2" }],
    ["app.tar.xz", { form: "tar", compression: "xz" }],
    ["app.txz", { form: "tar", compression: "xz" }],
    ["app.tar.zst", { form: "tar", compression: "zstd" }],
    ["app.tzst", { form: "tar", compression: "zstd" }],
    ["app.Zip", { form: "zip" }],
    ["app_1.2.3.gz", { form: "file", compression: "gzip", name: "app_1.2.3" }],
    ["app-linux-amd64.zst", { form: "file", compression: "zstd", name: "app-linux-amd64" }],
    ["app.v1.2.3", { form: "file", compression: undefined, name: "app.v1.2.3" }],
    ["targz", { form: "file", compression: undefined, name: "targz" }],
  ])("knows %s", (name, kind) => {
    expect(kindOf(name)).toEqual(kind);
  });

  it.each(["app.7z", "app.rar", "app.tar.lz4"])("does not take %s for an executable", (name) => {
    expect(() => kindOf(name)).toThrow(expect.objectContaining({ code: "REFUSED" }));
  });
});
