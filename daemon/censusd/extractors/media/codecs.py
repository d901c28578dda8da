"""What containers call a codec, in ffmpeg's words: those are what people search for, and what other tools print.

Sources: the MP4 registration authority's list, Apple's QuickTime File Format, RFC 2361 and mmreg.h for Windows' two-
byte formats, the Matroska codec registry, ISO/IEC 13818-1 and the SMPTE and ATSC registrations for MPEG-TS.
"""

from __future__ import annotations

from typing import Final


def _table(text: str) -> dict[str, str]:
    """``name: a b c`` a line, to {a: name, b: name, c: name}."""
    rows = (line.partition(":") for line in text.strip().splitlines())
    return {word: name.strip() for name, _, words in rows for word in words.split()}


MP4: Final = _table("""
h264: avc1 avc2 avc3 avc4 dva1 dvav ai12 ai15 ai5p xalg
hevc: hvc1 hev1 hvc2 dvh1 dvhe lhv1
vvc: vvc1 vvi1
av1: av01 dav1
vp8: vp08
vp9: vp09
mpeg4: mp4v xvid divx 3iv2
h263: s263 h263
mjpeg: jpeg mjpa mjpb avdj
prores: apcn apch apcs apco ap4h ap4x aprn aprh
dnxhd: avdn avdh
dvvideo: dvc dvcp dvpp dv5p dv5n dvh2 dvh3 dvh5 dvh6 dvhp dvhq
mpeg2video: m2v1 mpg2 xdv1 xdv2 xdv3 xdv4 xdv5 xdv6 xdv7 xdv8 xdv9 xdva xdvb xdvc xdvd xdve xdvf hdv1 hdv2 hdv3
mpeg1video: mpeg m1v1
cfhd: cfhd
png: png
qtrle: rle
svq1: svq1
svq3: svq3
cinepak: cvid
rpza: rpza
rawvideo: raw 2vuy yuv2 v210 r210 b64a
vc1: vc-1
aac: aavd
alac: alac
ac3: ac-3 sac3
eac3: ec-3
ac4: ac-4
opus: opus
flac: flac
mp3: .mp3
pcm_s16le: sowt
pcm_s16be: twos
pcm_s24be: in24
pcm_s32be: in32
pcm_f32be: fl32
pcm_f64be: fl64
pcm_mulaw: ulaw
pcm_alaw: alaw
pcm: lpcm none ipcm fpcm
adpcm_ima_qt: ima4
amr_nb: samr
amr_wb: sawb
dts: dtsc dtsh dtsl dtse dtsx
truehd: mlpa
mpegh_3d_audio: mhm1 mhm2 mha1 mha2
qdm2: qdm2
qdmc: qdmc
mov_text: tx3g text
webvtt: wvtt
ttml: stpp dfxp
eia_608: c608
eia_708: c708
dvd_subtitle: mp4s
""")
MP4_PRORES: Final = {
    "apco": "Proxy", "apcs": "LT", "apcn": "Standard", "apch": "HQ", "ap4h": "4444", "ap4x": "XQ",
}  # fmt: skip

MPEG4_OBJECTS: Final = {
    0x20: "mpeg4", 0x21: "h264", 0x23: "hevc", 0x40: "aac", 0x60: "mpeg2video", 0x61: "mpeg2video", 0x62: "mpeg2video",
    0x63: "mpeg2video", 0x64: "mpeg2video", 0x65: "mpeg2video", 0x66: "aac", 0x67: "aac", 0x68: "aac", 0x69: "mp3",
    0x6A: "mpeg1video", 0x6B: "mp3", 0x6C: "mjpeg", 0x6D: "png", 0xA3: "vc1", 0xA5: "ac3", 0xA6: "eac3", 0xA9: "dts",
    0xAD: "opus", 0xC1: "flac", 0xDD: "vorbis", 0xE0: "dvd_subtitle", 0xE1: "qcelp",
}  # fmt: skip
"""ISO/IEC 14496-1 object type indications, of ``esds`` boxes."""

WINDOWS_AUDIO: Final = {
    0x01: "pcm", 0x02: "adpcm_ms", 0x03: "pcm_float", 0x05: "pcm", 0x06: "pcm_alaw", 0x07: "pcm_mulaw",
    0x0A: "wmavoice", 0x11: "adpcm_ima_wav", 0x22: "truespeech", 0x31: "gsm_ms", 0x50: "mp2", 0x55: "mp3",
    0x57: "amr_nb", 0x58: "amr_wb", 0xFF: "aac", 0x160: "wmav1", 0x161: "wmav2", 0x162: "wmapro",
    0x163: "wmalossless", 0x1600: "aac", 0x1602: "aac_latm", 0x1610: "aac", 0x2000: "ac3", 0x2001: "dts",
    0x566F: "vorbis", 0x674F: "vorbis", 0x6750: "vorbis", 0x6751: "vorbis", 0x676F: "vorbis", 0x6770: "vorbis",
    0x6771: "vorbis", 0x704F: "opus", 0xA106: "aac", 0xA109: "speex", 0xF1AC: "flac",
}  # fmt: skip

WINDOWS_VIDEO: Final = _table("""
mpeg4: xvid divx dx50 mp4v fmp4 m4s2 mp4s 3iv2 3ivx rmp4 dxgm
msmpeg4v3: div3 mp43 div4 div5 div6 ap41 col1
msmpeg4v2: mp42 div2
msmpeg4v1: mp41 mpg4
h264: h264 x264 avc1 davc vssh
hevc: hevc h265 x265 hvc1
vvc: vvc1
mjpeg: mjpg avrn jpeg avdj
wmv1: wmv1
wmv2: wmv2
wmv3: wmv3
vc1: wvc1 wmva
mpeg1video: mpg1 mpeg
mpeg2video: mpg2 m2v1 em2v
vp6: vp60 vp61 vp62
vp6f: vp6f
vp7: vp70 vp71
vp8: vp80
vp9: vp90
av1: av01
flv1: flv1
h263: h263 u263 m263
h261: h261
dvvideo: dvsd dvhd dvsl dv25 dv50 dvh1 dvcp
huffyuv: hfyu
ffvhuff: ffvh
ffv1: ffv1
utvideo: uly0 uly2 ulrg ulra ulh0 ulh2
magicyuv: m8rg m8y0 m8y2 m8y4
lagarith: lags
cfhd: cfhd
dnxhd: avdn
prores: apcn apch apcs apco ap4h
msvideo1: cram msvc wham
cinepak: cvid
indeo2: rt21
indeo3: iv31 iv32
indeo4: iv41
indeo5: iv50
msrle: mrle
rawvideo: dib yuy2 uyvy yv12 i420 iyuv nv12 v210 rgb
theora: theo
png: mpng png
mss1: mss1
mss2: mss2
tscc: tscc
""")

MATROSKA: Final = _table("""
h264: V_MPEG4/ISO/AVC
hevc: V_MPEGH/ISO/HEVC
vvc: V_MPEGI/ISO/VVC
vp8: V_VP8
vp9: V_VP9
av1: V_AV1
mpeg4: V_MPEG4/ISO/SP V_MPEG4/ISO/ASP V_MPEG4/ISO/AP
msmpeg4v3: V_MPEG4/MS/V3
mpeg1video: V_MPEG1
mpeg2video: V_MPEG2
theora: V_THEORA
mjpeg: V_MJPEG
prores: V_PRORES
ffv1: V_FFV1
rawvideo: V_UNCOMPRESSED
rv10: V_REAL/RV10
rv20: V_REAL/RV20
rv30: V_REAL/RV30
rv40: V_REAL/RV40
aac: A_AAC A_AAC/MPEG2/LC A_AAC/MPEG2/MAIN A_AAC/MPEG2/LC/SBR A_AAC/MPEG4/LC A_AAC/MPEG4/MAIN A_AAC/MPEG4/LC/SBR
ac3: A_AC3 A_AC3/BSID9 A_AC3/BSID10
eac3: A_EAC3
dts: A_DTS A_DTS/EXPRESS A_DTS/LOSSLESS
truehd: A_TRUEHD
mlp: A_MLP
opus: A_OPUS A_OPUS/EXPERIMENTAL
vorbis: A_VORBIS
flac: A_FLAC
alac: A_ALAC
mp3: A_MPEG/L3
mp2: A_MPEG/L2
mp1: A_MPEG/L1
tta: A_TTA1
wavpack: A_WAVPACK4
musepack8: A_MPC
cook: A_REAL/COOK
subrip: S_TEXT/UTF8 S_TEXT/ASCII
ass: S_TEXT/ASS S_TEXT/SSA S_ASS S_SSA
webvtt: S_TEXT/WEBVTT D_WEBVTT/SUBTITLES D_WEBVTT/CAPTIONS
dvd_subtitle: S_VOBSUB
hdmv_pgs_subtitle: S_HDMV/PGS
hdmv_text_subtitle: S_HDMV/TEXTST
dvb_subtitle: S_DVBSUB
arib_caption: S_ARIBSUB
kate: S_KATE
mov_text: S_TX3G
""")

TRANSPORT: Final = {
    0x01: "mpeg1video", 0x02: "mpeg2video", 0x03: "mp2", 0x04: "mp2", 0x0F: "aac", 0x10: "mpeg4", 0x11: "aac_latm",
    0x1B: "h264", 0x1C: "aac", 0x20: "h264", 0x21: "jpeg2000", 0x24: "hevc", 0x33: "vvc", 0x42: "cavs", 0x81: "ac3",
    0x87: "eac3", 0xD1: "dirac", 0xD2: "avs2", 0xD4: "avs3", 0xEA: "vc1",
}  # fmt: skip
"""ISO/IEC 13818-1 stream types and what ATSC adds."""

BLU_RAY: Final = {
    0x80: "pcm_bluray", 0x81: "ac3", 0x82: "dts", 0x83: "truehd", 0x84: "eac3", 0x85: "dts", 0x86: "dts", 0xA1: "eac3",
    0xA2: "dts", 0x90: "hdmv_pgs_subtitle", 0x92: "hdmv_text_subtitle",
}  # fmt: skip
"""What a stream type means where the programme is registered as ``HDMV``."""

REGISTERED: Final = {
    b"AC-3": "ac3", b"EAC3": "eac3", b"DTS1": "dts", b"DTS2": "dts", b"DTS3": "dts", b"HEVC": "hevc", b"VC-1": "vc1",
    b"Opus": "opus", b"AV01": "av1", b"BSSD": "s302m", b"drac": "dirac", b"KLVA": "klv", b"ID3 ": "timed_id3",
}  # fmt: skip
"""What a registration descriptor says of a stream of private data."""

LOSSLESS: Final = frozenset(("alac", "ape", "flac", "mlp", "truehd", "tta", "wavpack", "wmalossless", "s302m"))
"""Besides all of PCM."""


def four(code: bytes) -> str:
    """A four-character code as the tables have it."""
    return code.decode("latin-1").strip(" \0").lower()


def pcm(bits: int | None, *, big: bool = False, floating: bool = False, unsigned: bool = False) -> str:
    """The name of a linear PCM format."""
    if not bits:
        return "pcm"
    if bits <= 8:
        return "pcm_u8" if unsigned else "pcm_s8"
    return f"pcm_{'f' if floating else 's'}{(bits + 7) // 8 * 8}{'be' if big else 'le'}"
