import { expect, it } from "vitest";
import { parseRegistryConfig } from "../config.ts";

const smallest = "version: 0.1\nstorage:\n  inmemory:\n";
const tls = "http:\n  tls: {certificate: c, key: k";

it.each([
  [
    `${tls}, letsencrypt: {email: a@b.c}}\n`,
    "http.tls.letsencrypt.cachefile: name the directory that account and certificates are kept in",
  ],
  [
    `${tls}, letsencrypt: {cachefile: d, hosts: [a.b]}}\n`,
    "http.tls.letsencrypt: leave http.tls.certificate and key away, or this section",
  ],
  [
    "http:\n  tls: {letsencrypt: {cachefile: d}}\n",
    "http.tls.letsencrypt.hosts: name the hosts that certificates are for",
  ],
  [
    "http:\n  tls: {letsencrypt: {cachefile: d, hosts: ['*.b']}}\n",
    "http.tls.letsencrypt.hosts.0: write a name such as registry.example.com",
  ],
  [
    "http:\n  tls: {letsencrypt: {cachefile: d, hosts: [a.b], directoryurl: ca.b}}\n",
    "http.tls.letsencrypt.directoryurl: write the URL of an ACME directory",
  ],
  ["http:\n  tls: {}\n", "http.tls.certificate: is missing"],
])("refuses %j", (addition, message) => {
  expect(() => read(`${smallest}${addition}`)).toThrow(message);
});

it("reads where certificates come from", () => {
  const asked = "{cachefile: d, hosts: [Registry.Example.com, ü.example], email: a@b.c}";

  const { http } = read(`${smallest}http:\n  tls: {letsencrypt: ${asked}}\n`);

  expect(http.tls).toEqual({
    clientcas: [],
    minimumtls: "tls1.2",
    letsencrypt: {
      cachefile: "d",
      email: "a@b.c",
      hosts: ["registry.example.com", "xn--tda.example"],
      directoryurl: "https://acme-v02.api.letsencrypt.org/directory",
    },
  });
  const empty = '{cachefile: "", email: "", hosts: []}';
  expect(read(`${smallest}${tls}, letsencrypt: ${empty}}\n`).http.tls).toMatchObject({
    certificate: "c",
  });
});

it("is set by variables, too", () => {
  const { http } = read(smallest, {
    REGISTRY_HTTP_TLS_LETSENCRYPT_CACHEFILE: "/d",
    REGISTRY_HTTP_TLS_LETSENCRYPT_HOSTS: "[a.b]",
  });

  expect(http.tls).toMatchObject({ letsencrypt: { cachefile: "/d", hosts: ["a.b"] } });
});

function read(text: string, environment: Record<string, string> = {}) {
  return parseRegistryConfig({ file: "config.yml", text, environment });
}
