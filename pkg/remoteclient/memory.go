package remoteclient

import (
	"reflect"
	"time"
)

// mapEntry is about what an entry of a map takes besides its key and its value.
const mapEntry = 16

// reach returns how many bytes of memory are reached from a value, without the value itself.
func reach(v reflect.Value) int64 {
	switch v.Kind() {
	case reflect.String:
		return int64(v.Len())
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return 0
		}
		return int64(v.Elem().Type().Size()) + reach(v.Elem())
	case reflect.Slice:
		return int64(v.Cap())*int64(v.Type().Elem().Size()) + reachAll(v)
	case reflect.Array:
		return reachAll(v)
	case reflect.Map:
		return reachMap(v)
	case reflect.Struct:
		return reachFields(v)
	default:
		return 0
	}
}

func reachAll(v reflect.Value) int64 {
	var size int64
	for i := range v.Len() {
		size += reach(v.Index(i))
	}
	return size
}

func reachMap(v reflect.Value) int64 {
	entry := int64(v.Type().Key().Size()+v.Type().Elem().Size()) + mapEntry
	size := int64(v.Len()) * entry
	for each := v.MapRange(); each.Next(); {
		size += reach(each.Key()) + reach(each.Value())
	}
	return size
}

func reachFields(v reflect.Value) int64 {
	if v.Type() == reflect.TypeFor[time.Time]() {
		// All times share their zone.
		return 0
	}
	var size int64
	for i := range v.NumField() {
		size += reach(v.Field(i))
	}
	return size
}
