"""Languages as files write them, in one form: a BCP 47 tag.

ID3 and MP4 use the three letters of ISO 639-2, EPUB and Matroska BCP 47, Audible and many people the English name.
"""

from __future__ import annotations

import re
from typing import Final

_TWO_LETTERS: Final = dict(
    pair.split(":")
    for pair in """
    aar:aa abk:ab afr:af aka:ak alb:sq amh:am ara:ar arg:an arm:hy asm:as ava:av ave:ae aym:ay aze:az bak:ba bam:bm
    baq:eu bel:be ben:bn bih:bh bis:bi bod:bo bos:bs bre:br bul:bg bur:my cat:ca ces:cs cha:ch che:ce chi:zh chu:cu
    chv:cv cor:kw cos:co cre:cr cym:cy cze:cs dan:da deu:de div:dv dut:nl dzo:dz ell:el eng:en epo:eo est:et eus:eu
    ewe:ee fao:fo fas:fa fij:fj fin:fi fra:fr fre:fr fry:fy ful:ff geo:ka ger:de gla:gd gle:ga glg:gl glv:gv gre:el
    grn:gn guj:gu hat:ht hau:ha hbs:sh heb:he her:hz hin:hi hmo:ho hrv:hr hun:hu hye:hy ibo:ig ice:is ido:io iii:ii
    iku:iu ile:ie ina:ia ind:id ipk:ik isl:is ita:it jav:jv jpn:ja kal:kl kan:kn kas:ks kat:ka kau:kr kaz:kk khm:km
    kik:ki kin:rw kir:ky kom:kv kon:kg kor:ko kua:kj kur:ku lao:lo lat:la lav:lv lim:li lin:ln lit:lt ltz:lb lub:lu
    lug:lg mac:mk mah:mh mal:ml mao:mi mar:mr may:ms mkd:mk mlg:mg mlt:mt mon:mn mri:mi msa:ms mya:my nau:na nav:nv
    nbl:nr nde:nd ndo:ng nep:ne nld:nl nno:nn nob:nb nor:no nya:ny oci:oc oji:oj ori:or orm:om oss:os pan:pa per:fa
    pli:pi pol:pl por:pt pus:ps que:qu roh:rm ron:ro rum:ro run:rn rus:ru sag:sg san:sa sin:si slk:sk slo:sk slv:sl
    sme:se smo:sm sna:sn snd:sd som:so sot:st spa:es sqi:sq srd:sc srp:sr ssw:ss sun:su swa:sw swe:sv tah:ty tam:ta
    tat:tt tel:te tgk:tg tgl:tl tha:th tib:bo tir:ti ton:to tsn:tn tso:ts tuk:tk tur:tr twi:tw uig:ug ukr:uk urd:ur
    uzb:uz ven:ve vie:vi vol:vo wel:cy wln:wa wol:wo xho:xh yid:yi yor:yo zha:za zho:zh zul:zu
    """.split()
)
"""ISO 639-2, its bibliographic codes too, to ISO 639-1 (BCP 47 wants the shortest)."""

_NAMES: Final = dict(
    pair.split(":")
    for pair in """
    afrikaans:af albanian:sq arabic:ar armenian:hy basque:eu bengali:bn bosnian:bs bulgarian:bg catalan:ca chinese:zh
    croatian:hr czech:cs danish:da dansk:da deutsch:de dutch:nl english:en español:es esperanto:eo estonian:et
    finnish:fi français:fr french:fr galician:gl georgian:ka german:de greek:el hebrew:he hindi:hi hungarian:hu
    icelandic:is indonesian:id irish:ga italian:it italiano:it japanese:ja korean:ko latin:la latvian:lv lithuanian:lt
    macedonian:mk malay:ms mandarin:zh nederlands:nl norwegian:no norsk:no persian:fa polish:pl polski:pl
    portuguese:pt português:pt romanian:ro russian:ru serbian:sr slovak:sk slovenian:sl spanish:es suomi:fi
    svenska:sv swahili:sw swedish:sv tamil:ta telugu:te thai:th turkish:tr ukrainian:uk urdu:ur vietnamese:vi
    welsh:cy yiddish:yi русский:ru українська:uk 中文:zh 日本語:ja 한국어:ko
    """.split()
)
_UNKNOWN: Final = frozenset(("und", "mis", "mul", "zxx", "xxx", "unk", "qaa", "unknown", "undetermined", "none"))
_TAG: Final = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|[0-9]{3}))?(?:[-_.@][-\w.@]*)?")


def language_tag(text: str) -> str | None:
    """The BCP 47 tag for what a file says, or None if it says nothing that is a language.

    >>> language_tag("ger"), language_tag("en_gb"), language_tag("Swedish"), language_tag("und")
    ('de', 'en-GB', 'sv', None)
    """
    text = text.strip().strip("\0").lower()[:64]
    if not text or text in _UNKNOWN:
        return None
    if text in _NAMES:
        return _NAMES[text]
    found = _TAG.fullmatch(text)
    if not found or found[1] in _UNKNOWN:
        return None
    parts = [_TWO_LETTERS.get(found[1], found[1])]
    if found[2]:
        parts.append(found[2].title())
    if found[3]:
        parts.append(found[3].upper())
    return "-".join(parts)
