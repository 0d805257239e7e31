import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { parseRegistryConfig } from "./config.ts";

const smallest = "version: 0.1\nstorage:\n  inmemory:\n";

function read(text: string) {
  return parseRegistryConfig({ file: "config.yml", text, environment: {} });
}

it("shows every key with its default in the example", async () => {
  const example = new URL("../../examples/registry/config.yml", import.meta.url);

  const config = read(await readFile(example, "utf8"));

  const defaults = read("version: 0.1\nstorage: {filesystem: {}}\n");
  const headers = { "X-Content-Type-Options": ["nosniff"] };
  expect(config).toEqual({
    ...defaults,
    http: { ...defaults.http, headers },
    validation: {
      ...defaults.validation,
      manifests: { ...defaults.validation.manifests, urls: { allow: [], deny: [] } },
    },
  });
});

it("shows in the example how to ask who is there, and how to speak TLS", async () => {
  const example = await readFile(
    new URL("../../examples/registry/config.yml", import.meta.url),
    "utf8",
  );
  const [, tlsLines = ""] = /^( {2}# tls:\n(?: {2}# .*\n)+)/m.exec(example) ?? [];
  const kinds = [...example.matchAll(/^# auth:.*\n(?:# {2}.*\n)+/gm)].map(([lines]) => lines);
  const uncommented = (text: string) => text.replace(/^( *)# /gm, "$1");

  expect(kinds).toHaveLength(3);
  expect(read(`${smallest}http:\n${uncommented(tlsLines)}`).http.tls?.clientcas).toHaveLength(1);
  const sections = kinds.map((kind) => read(`${smallest}${uncommented(kind)}`).auth);
  const names = sections.map((auth) => Object.keys(auth ?? {})[0]);
  expect(names).toEqual(["htpasswd", "token", "silly"]);
  expect(sections[0]?.access).toHaveLength(3);
});
