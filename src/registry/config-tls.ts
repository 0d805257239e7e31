import * as v from "valibot";
import { LetsEncryptSection } from "./acme/letsencrypt-options.ts";

const path = v.pipe(v.string("write the path of a file"), v.nonEmpty("write the path of a file"));

/** Go's names, which `ciphersuites` uses, with OpenSSL's; only suites that are still thought safe. */
export const cipherSuites = {
  TLS_AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256",
  TLS_AES_256_GCM_SHA384: "TLS_AES_256_GCM_SHA384",
  TLS_CHACHA20_POLY1305_SHA256: "TLS_CHACHA20_POLY1305_SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: "ECDHE-ECDSA-AES128-SHA",
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: "ECDHE-RSA-AES128-SHA",
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: "ECDHE-ECDSA-AES256-SHA",
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: "ECDHE-RSA-AES256-SHA",
} as const;
export type CipherSuite = keyof typeof cipherSuites;
const suiteNames = Object.keys(cipherSuites) as CipherSuite[];

export const clientAuthKinds = [
  "request-client-cert",
  "require-any-client-cert",
  "verify-client-cert-if-given",
  "require-and-verify-client-cert",
] as const;

const Section = v.strictObject({
  certificate: v.optional(path),
  key: v.optional(path),
  clientcas: v.optional(v.array(path, "write a list of files"), []),
  clientauth: v.optional(v.picklist(clientAuthKinds)),
  /** What came before these is broken (RFC 8996). */
  minimumtls: v.optional(v.picklist(["tls1.2", "tls1.3"]), "tls1.2"),
  ciphersuites: v.optional(
    v.pipe(v.array(v.picklist(suiteNames), "write a list"), v.minLength(1, "name a suite")),
  ),
  letsencrypt: v.optional(LetsEncryptSection),
});
type Section = v.InferOutput<typeof Section>;

const asksForCertificates = ({ letsencrypt }: Pick<Section, "letsencrypt">): boolean =>
  letsencrypt !== undefined && letsencrypt.cachefile !== "";

export const Tls = v.pipe(
  Section,
  v.forward(
    v.check((tls) => tls.certificate !== undefined || asksForCertificates(tls), "is missing"),
    ["certificate"],
  ),
  v.forward(
    v.check((tls) => tls.key !== undefined || asksForCertificates(tls), "is missing"),
    ["key"],
  ),
  v.forward(
    v.check(
      (tls) => !asksForCertificates(tls) || (tls.certificate ?? tls.key) === undefined,
      "leave http.tls.certificate and key away, or this section: certificates come from one of them",
    ),
    ["letsencrypt"],
  ),
  v.forward(
    v.check(
      ({ clientauth, clientcas }) => clientauth === undefined || clientcas.length > 0,
      "set http.tls.clientcas as well: without it, nobody is asked for a certificate",
    ),
    ["clientauth"],
  ),
  v.transform(decided),
);
export type Tls = v.InferOutput<typeof Tls>;
/** Where the certificate is in files that somebody else looks after. */
export type FileTls = Extract<Tls, { certificate: string }>;

function decided({ certificate = "", key = "", letsencrypt, ...common }: Section) {
  if (letsencrypt && asksForCertificates({ letsencrypt })) return { ...common, letsencrypt };
  return { ...common, certificate, key };
}
