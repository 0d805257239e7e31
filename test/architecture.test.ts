import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const source = fileURLToPath(new URL("../src", import.meta.url));

/** Each part of the program, and the parts below it that it may import. */
const mayImport: Record<string, string[]> = {
  base: [],
  oci: ["base"],
  objects: ["base", "oci"],
  agent: ["base", "oci", "objects"],
  registry: ["base", "oci"],
  cli: ["base", "oci", "agent", "registry"],
  "main.ts": ["base", "cli"],
  "registry-main.ts": ["main.ts"],
  "proxy-main.ts": ["agent"],
};

/** Packages, and the place in the program that may know of each; or two. */
const homeOf: Record<string, string | string[]> = {
  commander: "cli/",
  pino: "base/pino-logger.ts",
  valibot: "",
  yaml: "base/yaml-document.ts",
  "https-proxy-agent": "base/http",
  "@connectrpc/connect": ["agent/registries/grpc", "agent/telemetry/otlp"],
  "@connectrpc/connect-node": ["agent/registries/grpc", "agent/telemetry/otlp"],
  "@bufbuild/protobuf": ["agent/registries/grpc", "agent/telemetry/otlp", "registry/tracing/span"],
  "modern-tar": "agent/deploy/archives/tar",
  "@aws-sdk/client-s3": "objects/s3",
  "@aws-sdk/core": ["objects/s3.ts", "oci/credential-amazon.ts"],
  "@aws-sdk/credential-provider-node": "oci/credential-amazon.ts",
  "google-auth-library": ["objects/gcs-credentials.ts", "oci/credential-google.ts"],
  semver: "agent/choose/constraint.ts",
  nodemailer: "agent/notifiers/mail",
  ioredis: "agent/caches/redis-connection.ts",
  jose: ["registry/auth/token-verifier.ts", "registry/auth/oidc-token.ts"],
  bcryptjs: "registry/auth/bcrypt.ts",
  ldapts: "registry/auth/ldap-connection.ts",
  "@sigstore/bundle": "agent/sigstore/trust-root.ts",
  "@sigstore/protobuf-specs": "agent/sigstore/trust-root.ts",
  "@sigstore/verify": "agent/sigstore/trust-root.ts",
  "acme-client": "registry/acme/certificate-authority.ts",
  yauzl: "agent/deploy/archives/zip.ts",
  fzstd: "agent/deploy/archives/decoder-library.ts",
  "xz-decompress": "agent/deploy/archives/decoder-library.ts",
  "unbzip2-stream": "agent/deploy/archives/decoder-library.ts",
};

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => ({ file, text: readFileSync(join(source, file), "utf8") }))
  .map(({ file, text }) => ({ file, text, imports: importsOf(file, text) }));
const built = files.filter(({ file }) => !/\.(test|contract|fake)\.ts$/.test(file));

describe("architecture", () => {
  it.each(Object.entries(mayImport))("%s imports only what lies below it: %j", (part, below) => {
    const allowed = new Set([part, ...below]);
    const wrong = files
      .filter(({ file }) => partOf(file) === part)
      .flatMap(({ file, imports }) =>
        imports.local
          .filter((to) => !to.startsWith("..") && !allowed.has(partOf(to)))
          .map((to) => `${file} → ${to}`),
      );

    expect(wrong).toEqual([]);
  });

  it("knows each package in one place", () => {
    const wrong = built.flatMap(({ file, imports }) =>
      imports.packages
        .filter((name) => ![homeOf[name] ?? []].flat().some((home) => file.startsWith(home)))
        .map((name) => `${file} → ${name}`),
    );

    expect(wrong).toEqual([]);
  });

  it("loads an SDK only when it is needed", () => {
    const atStart =
      /^import (?!type )[^;]*"(?:@aws-sdk\/|@sigstore\/|google-auth-library|nodemailer|ioredis|ldapts|acme-client)/m;

    expect(built.filter(({ text }) => atStart.test(text)).map(({ file }) => file)).toEqual([]);
  });

  it("has a place in the table for every folder", () => {
    expect(new Set(files.map(({ file }) => partOf(file)))).toEqual(new Set(Object.keys(mayImport)));
  });

  it("keeps drivers behind their tables", () => {
    const drivers =
      /^(?:agent\/(?:registries|notifiers|caches)|registry\/storage)\/(?!index)|^registry\/auth\/(?:htpasswd|ldap|oidc|token|silly)\.ts/;
    const wrong = built.flatMap(({ file, imports }) =>
      imports.local
        .filter((to) => drivers.test(to) && dirname(file) !== dirname(to))
        .map((to) => `${file} → ${to}`),
    );

    expect(wrong).toEqual([]);
  });

  it("leaves the process to main.ts", () => {
    const wrong = built
      .filter(({ file }) => !["main.ts", "registry-main.ts", "proxy-main.ts"].includes(file))
      .flatMap(({ file, text }) =>
        [
          ...withoutPrograms(text).matchAll(
            /\bprocess\.(env|exit|exitCode|argv|cwd|chdir|stdout|stderr|on|once)\b/g,
          ),
        ].map((match) => `${file}: ${match[0]}`),
      );

    expect(wrong).toEqual([]);
  });

  it("has no file longer than 300 lines", () => {
    const long = files
      .map(({ file, text }) => ({ file, lines: text.split("\n").length - 1 }))
      .filter(({ lines }) => lines > 300);

    expect(long).toEqual([]);
  });

  it("names no file after what it is not", () => {
    const forbidden =
      /(^|[/])(utils?|helpers?|common|misc|types|constants|manager|service|impl)\.ts$/;

    expect(files.map(({ file }) => file).filter((file) => forbidden.test(file))).toEqual([]);
  });
});

function importsOf(file: string, text: string): { local: string[]; packages: string[] } {
  const names = [
    ...text.matchAll(/(?:^import|^(?:import|export|\}) .*?from|import\()\s*"([^"]+)"/gm),
  ].map((match) => match[1] ?? "");
  return {
    local: names
      .filter((name) => name.startsWith("."))
      .map((name) => relative(source, join(source, dirname(file), name))),
    packages: names
      .filter((name) => !name.startsWith(".") && !name.startsWith("node:"))
      .map((name) =>
        name
          .split("/")
          .slice(0, name.startsWith("@") ? 2 : 1)
          .join("/"),
      ),
  };
}

/** What runs in a process of its own stands in a template literal called `program`. */
const withoutPrograms = (text: string): string =>
  text.replace(/^(?:export )?const (?:program|\w+Program) = `[\s\S]*?^`;/gm, "");

const partOf = (file: string): string => file.split("/", 1)[0] ?? "";
