import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import * as v from "valibot";

const production = "https://acme-v02.api.letsencrypt.org/directory";
const hostForm = "write a name such as registry.example.com: no address, no wildcard, no port";

const Host = v.pipe(
  v.string(hostForm),
  v.transform((name) => domainToASCII(name.trim().replace(/\.$/, ""))),
  v.check((name) => isIP(name) === 0 && /^[\w-]+(?:\.[\w-]+)*$/.test(name), hostForm),
);

const directoryForm =
  "write the URL of an ACME directory, such as https://ca.example.com/directory";

/** `http.tls.letsencrypt`: one that is empty asks for nothing, as in Distribution. */
export const LetsEncryptSection = v.pipe(
  v.strictObject({
    /** A directory, in spite of its name: the one of Distribution is taken over as it is. */
    cachefile: v.optional(v.string("write the path of a directory"), ""),
    email: v.optional(
      v.pipe(
        v.string("write a mail address"),
        v.regex(/^(?:[^\s@,?]+@[^\s@,?]+)?$/, "write one mail address"),
      ),
      "",
    ),
    hosts: v.optional(v.array(Host, "write a list of names"), []),
    directoryurl: v.optional(
      v.pipe(
        v.string(directoryForm),
        v.check((url) => url === "" || /^https:\/\/[^/]/.test(url), directoryForm),
        v.transform((url) => url || production),
      ),
      production,
    ),
  }),
  v.forward(
    v.check(
      ({ cachefile, email, hosts }) => cachefile !== "" || (email === "" && hosts.length === 0),
      "name the directory that account and certificates are kept in",
    ),
    ["cachefile"],
  ),
  v.forward(
    v.check(
      ({ cachefile, hosts }) => cachefile === "" || hosts.length > 0,
      "name the hosts that certificates are for; anybody could have others asked for",
    ),
    ["hosts"],
  ),
);

export type LetsEncrypt = v.InferOutput<typeof LetsEncryptSection>;
