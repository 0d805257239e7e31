import { ConfigError } from "../../base/errors.ts";

/** What may stand in an address: nothing that ends a header line, a command or the address itself. */
const bare = /^[^\s<>()[\]:;,"\\@\p{Cc}]+@[^\s<>()[\]:;,"\\@\p{Cc}]+$/u;
const named = /^(?<name>[^<>"\\\p{Cc}]*)<(?<address>[^<>]+)>$/u;

export interface MailAddress {
  name: string;
  address: string;
}

/** `person@example.com`, or `Name <person@example.com>`. @throws {ConfigError} naming `option` */
export function parseAddress(option: string, text: string): MailAddress {
  const { name = "", address = text.trim() } = named.exec(text.trim())?.groups ?? {};
  if (bare.test(address) && !/\p{Cc}/u.test(text)) return { name: name.trim(), address };
  throw new ConfigError(`--notifier: ${option} is not a mail address`, {
    hint: "write it as person@example.com, and a + in the query as %2B",
  });
}

/** Several, with commas between. @throws {ConfigError} naming `option` */
export function parseAddresses(option: string, text: string): MailAddress[] {
  return text.split(",").map((one) => parseAddress(option, one));
}
