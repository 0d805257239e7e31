declare module "unbzip2-stream" {
  interface Bzip2Decoder {
    on(event: "data", listener: (chunk: Uint8Array) => void): void;
    on(event: "error", listener: (error: unknown) => void): void;
    write(chunk: Uint8Array): boolean;
    end(): void;
  }
  // biome-ignore lint/style/noDefaultExport: it is what the package has
  export default function unbzip2Stream(): Bzip2Decoder;
}
