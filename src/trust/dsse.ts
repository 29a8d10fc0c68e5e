import { z } from 'zod';
import { type ImageKey, verifySignature } from './image-key.ts';

// Dead Simple Signing Envelope 1.0 (secure-systems-lab): a payload, its type, and signatures over both.

export interface Envelope {
  readonly payloadType: string;
  /** Base64. */
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** Media type of an envelope as JSON. */
export const envelopeType = 'application/vnd.dsse.envelope.v1+json';

/** Media type of an in-toto statement, the payload of attestations. */
export const statementType = 'application/vnd.in-toto+json';

export function signEnvelope(key: ImageKey, payloadType: string, payload: Uint8Array): Envelope {
  const sig = Buffer.from(key.sign(preAuthentication(payloadType, payload))).toString('base64');
  return { payloadType, payload: Buffer.from(payload).toString('base64'), signatures: [{ keyid: key.id, sig }] };
}

/** The payload of an envelope if this key signed it, otherwise undefined. @param publicKey PEM */
export function openEnvelope(publicKey: string, envelope: Envelope): Uint8Array | undefined {
  const payload = Buffer.from(envelope.payload, 'base64');
  const bytes = preAuthentication(envelope.payloadType, payload);
  const signed = envelope.signatures.some(({ sig }) => verifySignature(publicKey, bytes, Buffer.from(sig, 'base64')));
  return signed ? payload : undefined;
}

/** An envelope as a file: one line of JSON. */
export function envelopeText(envelope: Envelope): string {
  return `${JSON.stringify(envelope)}\n`;
}

/** The payload of an `envelopeText` with one signature, which is by this key; undefined for any other text. @param publicKey PEM */
export function openPublished(publicKey: string, text: string): Uint8Array | undefined {
  const envelope = parseEnvelope(text);
  // Any other spelling of the same envelope is a changed file.
  if (envelope?.signatures.length !== 1 || envelopeText(envelope) !== text) return undefined;
  return openEnvelope(publicKey, envelope);
}

/** Parses an envelope; undefined if the text is none. Keys that are not an envelope's are dropped. */
export function parseEnvelope(text: string): Envelope | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const result = envelopeSchema.safeParse(value);
  return result.success ? result.data : undefined;
}

const envelopeSchema = z.object({
  payloadType: z.string(),
  payload: z.base64(),
  signatures: z.array(z.object({ keyid: z.string(), sig: z.base64() })),
});

/** The signed bytes: `PAE` of the specification, lengths in bytes. */
function preAuthentication(payloadType: string, payload: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}
