package reactions

// What tests look at from outside.
const SelectWindow = selectWindow

var UnmarshalWindow = windows{}.UnmarshalMessage
