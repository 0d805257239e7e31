import { DewyError, systemCodeOf } from "./errors.ts";

/** A request that got no whole answer. What the server answered, whatever its status, is no error. */
export class HttpError extends DewyError<
  "UNREACHABLE" | "TIMEOUT" | "INTERRUPTED" | "BAD_REDIRECT" | "BAD_URL"
> {}

const sentences: Record<string, [sentence: string, hint: string]> = {
  ECONNREFUSED: ["nothing listens there", "check the host and the port"],
  ENOTFOUND: ["there is no such host", "check the spelling, and this machine's DNS"],
  EAI_AGAIN: ["the name server does not answer", "check this machine's DNS"],
  EHOSTUNREACH: ["there is no route to it", "check the network and the firewall"],
  ENETUNREACH: ["there is no route to it", "check the network and the firewall"],
  ETIMEDOUT: ["it does not answer", "check the network and the firewall"],
  ECONNRESET: ["it closed the connection", "check that it speaks this protocol on this port"],
  EPROTO: ["it does not speak TLS there", "check the scheme (http or https) and the port"],
  CERT_HAS_EXPIRED: ["its certificate has expired", "renew the certificate of the server"],
  CERT_NOT_YET_VALID: ["its certificate is not valid yet", "check the clocks of both machines"],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    "its certificate is for another host",
    "use a host name that is in the certificate",
  ],
};

const untrusted = [
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
];

/** What Node says when a connection fails, as a sentence that names the host. */
export function unreachable(host: string, cause: unknown): HttpError {
  const code = systemCodeOf(cause) ?? "";
  if (untrusted.includes(code)) {
    return new HttpError("UNREACHABLE", `cannot reach ${host}: its certificate is not trusted`, {
      cause,
      hint: "start dewy with NODE_EXTRA_CA_CERTS naming the file of its certificate authority",
    });
  }
  const fallback = cause instanceof Error && cause.message !== "" ? cause.message : code;
  const [sentence, hint] = sentences[code] ?? [fallback, "check the URL and the network"];
  return new HttpError("UNREACHABLE", `cannot reach ${host}: ${sentence}`, { cause, hint });
}
