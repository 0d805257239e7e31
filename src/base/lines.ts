import { StringDecoder } from "node:string_decoder";
import type { Bytes } from "./bytes.ts";

/** The lines of a UTF-8 text, each cut after `longest` characters: memory is bound by that. */
export async function* linesOf(source: Bytes, longest: number): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let line = "";
  for await (const chunk of source) {
    const [rest = "", ...more] = decoder.write(Buffer.from(chunk)).split(/\r?\n/);
    line = (line + rest).slice(0, longest);
    for (const next of more) {
      yield line;
      line = next.slice(0, longest);
    }
  }
  line = (line + decoder.end()).slice(0, longest);
  if (line !== "") yield line;
}
