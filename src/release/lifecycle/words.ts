import { plural } from '../../base/plural.ts';
import type { Support } from './support.ts';

/** `supported, ends in 45 days` */
export function supportWords({ state, daysLeft }: Support): string {
  const what = { 'before-release': 'not released yet', supported: 'supported', 'security-only': 'security fixes only' };
  if (state === 'ended') {
    const days = -(daysLeft ?? 0);
    return `ended ${days === 1 ? 'yesterday' : `${days} days ago`}`;
  }
  if (daysLeft === undefined) return what[state];
  const end = daysLeft === 0 ? 'today is the last day' : `ends in ${plural(daysLeft, 'day')}`;
  return `${what[state]}, ${end}`;
}
