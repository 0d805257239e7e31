import { userInfo } from "node:os";
import * as v from "valibot";
import type { Environment } from "../../base/environment.ts";
import { ConfigError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { YesOrNo } from "../../base/schema.ts";
import { readSettingsFile } from "../../base/settings-file.ts";
import type { Notifier } from "../notifier.ts";
import { commonQuery, type NotifierLocation, parseQuery, Text } from "./location.ts";
import { type MailAddress, parseAddress, parseAddresses } from "./mail-address.ts";
import { type MailTransport, sendMail } from "./mail-connection.ts";
import { readCredentials } from "./mail-credentials.ts";
import { type MailFooter, mailText } from "./mail-message.ts";
import {
  checkedHost,
  checkedPort,
  isOpenToOthers,
  oneOf,
  parsePlace,
  routeTo,
} from "./mail-route.ts";
import { failure } from "./notifier-failure.ts";
import type { NotifierParts, OpenedNotifier } from "./parts.ts";

const Tls = v.union(
  [
    v.literal("implicit"),
    v.pipe(
      YesOrNo,
      v.transform((yes) => (yes ? "yes" : "no")),
    ),
  ],
  "write true (STARTTLS, or TLS from the start on port 465), implicit or false",
);

const mailQuery = {
  ...commonQuery,
  username: v.optional(Text),
  password: v.optional(Text),
  "password-file": v.optional(Text),
  from: v.optional(Text),
  to: v.optional(Text),
  subject: v.optional(v.pipe(Text, v.regex(/^\P{Cc}*$/u, "write one line")), "Dewy Notification"),
  tls: v.optional(Tls, "true"),
  host: v.optional(Text),
  port: v.optional(Text),
  ca: v.optional(Text),
};

interface MailPlan {
  transport: MailTransport;
  from: MailAddress;
  to: readonly MailAddress[];
  subject: string;
}

/** `mail://host[:port]/recipient[?…]`, and `smtp://` for the same. */
export async function openMailNotifier(
  location: NotifierLocation,
  { environment, logger, directory }: NotifierParts,
): Promise<OpenedNotifier> {
  const query = parseQuery(location, mailQuery);
  const plan = await planOf(location, query, environment);
  const { route, credentials } = plan.transport;
  const notifier = mailNotifier(plan, location.scheme, { user: userName(), directory });
  const named = { notifier: notifier.name };
  if (query.password !== undefined) {
    logger.warn(
      "Everybody on this host can see the mail password among the processes: set MAIL_PASSWORD or MAIL_PASSWORD_FILE instead",
      named,
    );
  }
  if (credentials && isOpenToOthers(route)) {
    logger.warn(
      "The mail password is sent without TLS, and whoever is on the way can read it: leave out tls=false",
      named,
    );
  }
  return { notifier, quiet: query.quiet };
}

async function planOf(
  location: NotifierLocation,
  query: v.InferOutput<v.StrictObjectSchema<typeof mailQuery, undefined>>,
  environment: Environment,
): Promise<MailPlan> {
  const place = parsePlace(location);
  const host = oneOf("host", place.host, query.host && checkedHost(query.host));
  const port = oneOf("port", place.port, query.port ? checkedPort(query.port) : undefined);
  const to = oneOf("to", place.recipients, query.to);
  if (!host) throw missing(location, "the host of the mail server", "host");
  if (!to) throw missing(location, "a recipient", "to");
  const credentials = await readCredentials(query, environment);
  if (query.ca !== undefined && query.tls === "no") {
    throw new ConfigError("--notifier: there is a ca, and with tls=false nothing to check by it", {
      hint: "leave one of them out",
    });
  }
  const ca = query.ca === undefined ? undefined : await readAuthorities(query.ca);
  return {
    transport: { route: routeTo(host, port, query.tls), credentials, ca },
    from: senderOf(query.from ?? (environment.MAIL_FROM || undefined), credentials?.username),
    to: parseAddresses("to", to),
    subject: query.subject,
  };
}

function mailNotifier(plan: MailPlan, scheme: string, footer: MailFooter): Notifier {
  const { transport, from, to, subject } = plan;
  const recipients = to.map(({ address }) => address).join(",");

  return {
    name: `${scheme}://${transport.route.server}/${recipients}`,
    async send(notice, call) {
      const mail = { ...mailText(notice, subject, footer), from, to, date: notice.at };
      try {
        await sendMail(transport, mail, call);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        // The file with the password was there at the start, and may come back.
        throw failure("UNAVAILABLE", error.message, { cause: error, hint: error.hint });
      }
    },
    async close() {},
  };
}

function senderOf(from: string | undefined, username: string | undefined): MailAddress {
  if (from !== undefined) return parseAddress("from", from);
  if (username?.includes("@")) return parseAddress("username", username);
  throw new ConfigError("--notifier: the mail has no sender", {
    hint: "set MAIL_FROM or from=, as the username is no mail address or there is none",
  });
}

function missing({ scheme }: NotifierLocation, what: string, option: string): ConfigError {
  return new ConfigError(`--notifier: ${scheme}:// does not name ${what}`, {
    hint: `write it as ${scheme}://host:port/recipient, or add ${option}=`,
  });
}

async function readAuthorities(path: string): Promise<Buffer> {
  const bytes = await readSettingsFile(path).catch((cause) => {
    const reason = systemCodeOf(cause) ?? messageOf(cause);
    throw new ConfigError(`--notifier: ca=${path} cannot be read (${reason})`, {
      cause,
      hint: "check the path, and that dewy may read the file",
    });
  });
  // OpenSSL takes a list of authorities without a single one in it for an empty list.
  if (bytes.includes("-----BEGIN CERTIFICATE-----")) return bytes;
  throw new ConfigError(`--notifier: ca=${path} is not a PEM file with a certificate`, {
    hint: "convert it by openssl, such as openssl x509 -in FILE -inform der -out FILE.pem",
  });
}

/** A container may run as a number that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "(unknown)";
  }
}
