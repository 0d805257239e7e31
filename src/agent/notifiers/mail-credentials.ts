import { open } from "node:fs/promises";
import type { Environment } from "../../base/environment.ts";
import { ConfigError, messageOf, systemCodeOf } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";

export interface MailCredentials {
  username: string;
  /** Read anew each time where it is in a file, which may have been renewed. @throws {ConfigError} */
  password(): Promise<Secret>;
}

/** What the URL says; the environment says the rest. */
export interface MailCredentialOptions {
  username?: string | undefined;
  password?: string | undefined;
  "password-file"?: string | undefined;
}

const longestPasswordBytes = 4_096;

/**
 * `undefined` for a relay that asks for none. A URL is before the environment, in which
 * `MAIL_USERNAME`, `MAIL_PASSWORD` and `MAIL_PASSWORD_FILE` say it.
 *
 * @throws {ConfigError} also when the file cannot be read now
 */
export async function readCredentials(
  options: MailCredentialOptions,
  environment: Environment,
): Promise<MailCredentials | undefined> {
  const username = options.username ?? (environment.MAIL_USERNAME || undefined);
  const password = passwordIn(options, environment);
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined) throw incomplete("a password, and no username", "MAIL_USERNAME");
  if (password === undefined) throw incomplete("a username, and no password", "MAIL_PASSWORD");
  if (/\p{Cc}/u.test(username)) throw unusable("the username");
  await password();
  return { username, password };
}

function passwordIn(
  options: MailCredentialOptions,
  environment: Environment,
): MailCredentials["password"] | undefined {
  const inUrl = source("password", options.password, "password-file", options["password-file"]);
  const { MAIL_PASSWORD, MAIL_PASSWORD_FILE } = environment;
  return inUrl ?? source("MAIL_PASSWORD", MAIL_PASSWORD, "MAIL_PASSWORD_FILE", MAIL_PASSWORD_FILE);
}

function source(
  name: string,
  value: string | undefined,
  fileName: string,
  path: string | undefined,
): MailCredentials["password"] | undefined {
  if (value && path) {
    throw new ConfigError(`--notifier: both ${name} and ${fileName} are set`, {
      hint: "leave one of them out",
    });
  }
  if (path) return () => readPassword(fileName, path);
  return value ? async () => checked(name, value) : undefined;
}

async function readPassword(option: string, path: string): Promise<Secret> {
  const text = await startOf(path).catch((cause) => {
    const reason = systemCodeOf(cause) ?? messageOf(cause);
    throw new ConfigError(`--notifier: ${option}=${path} cannot be read (${reason})`, {
      cause,
      hint: "check the path, and that dewy may read the file",
    });
  });
  return checked(option, text.replace(/[\r\n]+$/, ""));
}

async function startOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read({ length: longestPasswordBytes });
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

function checked(name: string, password: string): Secret {
  if (password === "" || /\p{Cc}/u.test(password)) throw unusable(name);
  return new Secret(password);
}

function unusable(name: string): ConfigError {
  return new ConfigError(`--notifier: ${name} is empty, or has a line end or the like in it`, {
    hint: "set it to one line of text",
  });
}

function incomplete(what: string, variable: string): ConfigError {
  return new ConfigError(`--notifier: there is ${what} for the mail server`, {
    hint: `set ${variable}, or leave out both for a relay that asks for none`,
  });
}
