import { bootAcceptance } from './boot-tools.ts';
import { feedAcceptance } from './feed-tools.ts';
import { imageAcceptance } from './image-tools.ts';
import { macroAcceptance } from './macro-tools.ts';
import { rpmAcceptance } from './rpm-tools.ts';
import { tools } from './weir.ts';

rpmAcceptance(() => tools());
imageAcceptance(() => tools());
macroAcceptance(() => tools());
feedAcceptance(() => tools());
bootAcceptance(() => tools('boot'));
