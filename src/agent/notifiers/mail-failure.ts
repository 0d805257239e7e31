import type { NodemailerError } from "nodemailer/lib/errors";
import { concealed, type Secret } from "../../base/secret.ts";
import type { NotifierError } from "../notifier.ts";
import type { MailRoute } from "./mail-route.ts";
import { failure } from "./notifier-failure.ts";

/**
 * What nodemailer says (https://nodemailer.com/errors), as a sentence that names the server. Its error
 * is not kept as the cause: it holds the server's words as they came, which may repeat what it was told.
 */
export function mailFailure(
  error: NodemailerError,
  { server, security }: MailRoute,
  secrets: readonly Secret[],
): NotifierError {
  const { code = "", responseCode = 0, response } = error;
  const said = concealed(response || error.message, secrets)
    .replace(/\s+/g, " ")
    .slice(0, 300);
  if (responseCode >= 400 && responseCode < 500) {
    return failure("UNAVAILABLE", `${server} puts the mail off: ${said}`, {
      hint: "nothing is lost yet; if it lasts, ask whoever runs the mail server",
    });
  }
  if (code === "EAUTH") {
    return failure("UNAUTHORIZED", `${server} does not accept username and password: ${said}`, {
      hint: "check MAIL_USERNAME and MAIL_PASSWORD; Gmail wants an app password",
    });
  }
  if (security === "starttls" && isWithoutStarttls(error)) {
    return failure("REFUSED", `${server} does not offer STARTTLS: ${said}`, {
      hint: "add tls=implicit for TLS from the start, or tls=false to send without any",
    });
  }
  if (responseCode >= 500) {
    return failure("REFUSED", `${server} refuses the mail: ${said}`, {
      hint: "check the addresses in --notifier, and whether the server wants a username",
    });
  }
  return connectionFailure(error, server, said);
}

/** It was asked for, and not understood; or the server is too old for what comes before it. */
function isWithoutStarttls({ code, command, responseCode = 0 }: NodemailerError): boolean {
  if (command === "EHLO") return responseCode >= 500;
  return code === "ETLS" && responseCode >= 500;
}

function connectionFailure(error: NodemailerError, server: string, said: string): NotifierError {
  if (/certificate|altnames|Hostname\/IP/i.test(said)) {
    const reason = said.replace(/[:\s]+$/, "");
    const [, hint] = certificateHints.find(([words]) => words.test(said)) ?? [];
    return failure("REFUSED", `the certificate of ${server} is not trusted: ${reason}`, { hint });
  }
  if (/wrong version number|packet length too long/i.test(said)) {
    return failure("UNAVAILABLE", `${server} does not begin with TLS`, {
      hint: "port 465 is for TLS from the start, 587 for STARTTLS: check port and tls in --notifier",
    });
  }
  const reason = reasons[error.originalCode ?? ""] ?? reasons[error.code ?? ""] ?? said;
  return failure("UNAVAILABLE", `cannot reach ${server}: ${reason}`, {
    hint: "check host, port and tls in --notifier, and the firewall",
  });
}

const certificateHints: [words: RegExp, hint: string][] = [
  [/expired|not yet valid/i, "renew the certificate of the mail server, and check both clocks"],
  [/altnames|Hostname\/IP/i, "name the host in --notifier as the certificate does"],
  [/./, "name the file of its certificate authority by ca=PATH"],
];

const reasons: Record<string, string | undefined> = {
  ECONNREFUSED: "nothing listens there",
  ETIMEDOUT: "it does not answer in time",
  EDNS: "there is no such host, or the name server does not answer",
};
